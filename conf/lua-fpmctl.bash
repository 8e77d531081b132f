# shellcheck shell=bash
# Completion of lua-fpmctl(8) for bash: commands, options and the names of
# pools, all of which the tool itself tells.

_lua_fpmctl() {
	local tool=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]}
	local command='' place=0 pool='' word words i
	local -a given=()

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ -n $command ]]; then
			[[ $word == -* ]] || { place=$((place + 1)); pool=$word; }
		elif [[ $word == -[cst] ]]; then
			# as it was typed: quotes are taken off, nothing is run
			given+=("$word" "${COMP_WORDS[i + 1]//[\'\"\\]/}")
			i=$((i + 1))
		elif [[ $word != -* ]]; then
			command=$word
		fi
	done

	if [[ -z $command && ${COMP_WORDS[COMP_CWORD - 1]} == -[cs] ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	if [[ -z $command && ${COMP_WORDS[COMP_CWORD - 1]} == -t ]]; then
		return
	fi
	case $command:$place:$cur in
	:*:-*)	words='-c -h -s -t -V' ;;
	:*)	words=$("$tool" commands 2>/dev/null) ;;
	status:*:-* | workers:*:-* | timers:*:-*)
		words=--json ;;
	publish:*:-*)
		words=--binary ;;
	status:0:* | workers:0:* | timers:0:* | top:0:* | reload:0:* | scale:0:* | drain:0:* | resume:0:* | run:0:* | publish:0:*)
		words=$("$tool" "${given[@]}" -t 2s pools 2>/dev/null) ;;
	run:1:*)
		words=$("$tool" "${given[@]}" -t 2s timers "$pool" 2>/dev/null |
			while read -r _ word _; do
				[[ $word == TIMER ]] || printf '%s\n' "$word"
			done) ;;
	*)	return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _lua_fpmctl lua-fpmctl
