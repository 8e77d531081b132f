// The chat as it happens: what comes over the WebSocket is put into the page,
// and what is written goes over it.  While there is none the form is posted as
// if this script were not there.  chat.lua is the other end.
//
// What others have written becomes text, never markup: textContent alone.

"use strict";

const $ = id => document.getElementById(id);
const MOST_SHOWN = 200;
const BEAT = 20; // seconds
const LONGEST_WAIT = 20;

let socket = null; // that is open, or being opened
let tries = 0; // since one was good for something
let ever = false; // has there been one?
let timer = 0; // for the next try
let unanswered = false; // the last beat
let turn = 0; // of the list of people

// ---- the page -------------------------------------------------------------------

function make(name, text, facts) {
    const element = document.createElement(name);
    element.textContent = text;
    return Object.assign(element, facts);
}

function state(text, name) {
    $("state").textContent = text;
    $("state").dataset.is = name;
}

function trouble(text) {
    $("trouble").textContent = text;
    $("trouble").hidden = !text;
}

function in_local_time(time) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString([],
        { hour: "2-digit", minute: "2-digit" });
    return time;
}

function mark_own() {
    for (const item of $("messages").children)
        item.classList.toggle("own", item.dataset.name === $("name").value);
}

function last_number() {
    return Number($("messages").lastElementChild?.dataset.number || 0);
}

// Workers may tell of two messages in the wrong order, and of one twice.
function show_message(fields) {
    const list = $("messages"), number = Number(fields.get("number"));
    let before = list.lastElementChild;
    while (before && Number(before.dataset.number) > number)
        before = before.previousElementSibling;
    if (before && Number(before.dataset.number) === number)
        return;
    const item = document.createElement("li"), about = make("p", "",
        { className: "note" });
    item.dataset.number = number;
    item.dataset.name = fields.get("name");
    about.append(make("bdi", fields.get("name")), " ", in_local_time(make("time",
        "", { dateTime: new Date(fields.get("time") * 1000).toISOString() })));
    item.append(about, make("p", fields.get("text"),
        { className: "text", dir: "auto" }));
    const log = $("log");
    const at_end = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    list.insertBefore(item, before ? before.nextSibling : list.firstChild);
    while (list.children.length > MOST_SHOWN)
        list.firstElementChild.remove();
    mark_own();
    if (at_end)
        log.scrollTop = log.scrollHeight;
}

function show_people(fields) {
    if (Number(fields.get("turn")) < turn)
        return;
    turn = Number(fields.get("turn"));
    const names = fields.getAll("name");
    $("people").replaceChildren(...names.map(name => {
        const item = document.createElement("li");
        item.append(make("bdi", name));
        return item;
    }));
    $("how-many").textContent = names.length;
    $("present").hidden = false;
}

function name_is(name) {
    $("name").value = name;
    sessionStorage.setItem("name", name);
    mark_own();
}

// ---- what the server says ---------------------------------------------------------

const heard = {
    welcome(fields) {
        tries = 0;
        state("Live", "live");
        $("why").hidden = true;
        $("raise").hidden = false;
        $("count").value = fields.get("count");
        name_is(fields.get("name"));
    },
    message: show_message,
    people: show_people,
    count(fields) {
        $("count").value = Math.max($("count").value, fields.get("count"));
    },
    name(fields) {
        name_is(fields.get("name"));
    },
    // Only now it is sure: had the connection broken, the text would still be
    // there to be sent again.
    said(fields) {
        trouble("");
        if ($("text").value === fields.get("text"))
            $("text").value = "";
    },
    problem(fields) {
        trouble(fields.get("text"));
    },
};

// ---- the connection ---------------------------------------------------------------

function is_open() {
    return socket !== null && socket.readyState === WebSocket.OPEN;
}

function tell(fields) {
    socket.send(new URLSearchParams(fields));
}

function connect() {
    clearTimeout(timer);
    const url = new URL("/chat/socket", location.href);
    url.protocol = location.protocol.replace("http", "ws");
    url.searchParams.set("name", $("name").value);
    const mine = socket = new WebSocket(url);
    unanswered = false;
    mine.onopen = () => {
        ever = true;
        tell({ kind: "hello", after: last_number() });
    };
    mine.onmessage = event => {
        const fields = new URLSearchParams(event.data);
        unanswered = false;
        heard[fields.get("kind")]?.(fields);
    };
    mine.onclose = () => {
        if (mine === socket)
            lost();
    };
}

// All clients of a server that is started anew come back: each after another
// time, and after a longer one each time that it is not there.
function lost() {
    socket?.close();
    socket = null;
    turn = 0;
    $("present").hidden = $("raise").hidden = true;
    $("why").hidden = ever;
    const longest = Math.min(LONGEST_WAIT, 0.5 * 2 ** tries++);
    const wait = longest * (0.5 + Math.random() / 2);
    state(ever ? "Connection lost, trying again …" :
        "Not live: reload the page to see what is new.", "lost");
    clearTimeout(timer);
    timer = setTimeout(connect, wait * 1000);
}

// A browser does not tell a script of pings: what is asked and not answered by
// the next time is lost.
function beat() {
    if (!is_open())
        return;
    if (unanswered)
        lost();
    else {
        unanswered = true;
        tell({ kind: "here" });
    }
}

function at_once() {
    if (socket === null && !document.hidden)
        connect();
}

// ---- the visitor -------------------------------------------------------------------

$("say").addEventListener("submit", event => {
    if (!is_open())
        return; // as a form
    event.preventDefault();
    if ($("name").value !== sessionStorage.getItem("name"))
        tell({ kind: "name", name: $("name").value });
    tell({ kind: "say", text: $("text").value });
    $("text").focus();
});

$("name").addEventListener("change", () => {
    if (is_open())
        tell({ kind: "name", name: $("name").value });
    else
        sessionStorage.setItem("name", $("name").value);
});

$("raise").addEventListener("click", () => tell({ kind: "raise" }));
addEventListener("online", at_once);
document.addEventListener("visibilitychange", at_once);

$("name").value = sessionStorage.getItem("name") || $("name").value;
document.querySelectorAll("time").forEach(in_local_time);
mark_own();
$("log").scrollTop = $("log").scrollHeight;
state("Connecting …", "lost");
connect();
setInterval(beat, BEAT * 1000);
