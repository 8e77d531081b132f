"""What lua-fpm-servers(7), README.md and conf/ show to be copied."""

import re

from harness import SRC

PAGE = SRC + "/man/lua-fpm-servers.7"


def _read(path):
    with open(path) as f:
        return f.read()


def literals(section, path=PAGE):
    """The texts of the literal displays of a section of a page."""
    text = _read(path).partition(".Sh %s\n" % section)[2]
    assert text, "no section " + section
    shown = re.findall(r"^\.Bd -literal.*\n((?:(?!\.Ed).*\n)*)\.Ed$",
                       text.partition("\n.Sh ")[0], re.M)
    meant = {"e": "\\", "-": "-", "&": "", "(aq": "'", "(dq": '"'}
    return [re.sub(r"\\(&|e|-|\(aq|\(dq)", lambda m: meant[m[1]], t)
            for t in shown]


def block(section):
    """What a web server is configured with: the first display."""
    return literals(section)[0]


def readme(language, place=0):
    """A block of that language in README.md."""
    return re.findall(r"^```%s\n(.*?)^```$" % language,
                      _read(SRC + "/README.md"), re.M | re.S)[place]


def example():
    return _read(SRC + "/conf/nginx.conf.example")


def matrix():
    """The table as it stands in the page."""
    return literals("MATRIX")[0]
