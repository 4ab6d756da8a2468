r"""Texts that want to be more than text, once for all tests: as names, labels, versions, addresses, reasons, marks and status messages.

Each would betray itself: markup and scripts set `window.pwned`, ask for `spy.example` or open a dialog; a terminal would obey escape
sequences; a formula would be typeset; a path would lead out of where it belongs.
"""

HOSTILE: dict[str, str] = {
    # Markup
    "script": "<script>window.pwned=1;alert(1)</script>",
    "end of a script": "</script><script>window.pwned=1</script>",
    "comment in a script": "<!--<script>window.pwned=1//-->",
    "event": "<img src=x onerror='window.pwned=1'>",
    "event without blanks": "<svg/onload=window.pwned=1>",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><script>window.pwned=1</script></svg>',
    "end of an svg": "</text></svg><script>window.pwned=1</script>",
    "cdata": "]]><script>window.pwned=1</script>",
    "foreign object": "<foreignObject><iframe srcdoc='<script>parent.pwned=1</script>'></iframe></foreignObject>",
    "request": "<img src=https://spy.example/x><link rel=stylesheet href=https://spy.example/y>",
    "refresh": '<meta http-equiv="refresh" content="0;url=https://spy.example/">',
    "base": '<base href="https://spy.example/">',
    "form": '<form action="https://spy.example/"><input autofocus onfocus="window.pwned=1">',
    "link": '<a href="javascript:window.pwned=1">press</a>',
    "url": "javascript:window.pwned=1",
    "data url": "data:text/html,<script>window.pwned=1</script>",
    "attribute": '" onmouseover="window.pwned=1" x="',
    "attribute in apostrophes": "' onmouseover='window.pwned=1' x='",
    "attribute without quotes": "x onmouseover=window.pwned=1",
    "escaped already": "&lt;i&gt; &amp;amp; &#x3c;script&#x3e;",
    "bold": "<b>bold</b><style>*{display:none}</style>",
    # Templates, formulas, style
    "template": "{{ 7 * 7 }} ${7*7} #{7*7} {% raw %} <%= 7*7 %>",
    "format": "%s %d %(module)s {0} {module!r} {module.__class__}",
    "plotly": "%{x} %{customdata[0]} <extra></extra> <br> <sup>2</sup>",
    "plotly's link": "<a href='https://spy.example/' target='_blank'>plotly</a>",
    "formula": "$\\alpha^2$ and \\(x\\) and $$\\href{javascript:window.pwned=1}{y}$$",
    "latex": "\\input{/etc/passwd} \\write18{true}",
    "markdown": "![x](https://spy.example/z) [a](javascript:window.pwned=1) `code` **bold** # title",
    "css": "red;background:url(https://spy.example/c)}*{color:red",
    "end of a style": "</style><script>window.pwned=1</script>",
    # Programs, tables, paths
    "json": '","pwned":true,"__proto__":{"pwned":1},"x":"\\',
    "prototype": "__proto__",
    "constructor": "constructor",
    "python": "__import__('os').system('true')",
    "shell": "$(true); `true` | true && true > /dev/null",
    "sql": "'; DROP TABLE modules; --",
    "formula of a table": '=HYPERLINK("https://spy.example/","x")',
    "command of a table": "@SUM(1+1)*cmd|' /C calc'!A0",
    "prometheus": 'x",state="READY"} 1\\n# HELP pwned "\\',
    "path": "../../../../tmp/pwned",
    "absolute path": "/tmp/pwned",  # noqa: S108
    "windows path": "..\\..\\pwned:stream",
    "percent": "%2e%2e%2f%00 %c0%ae",
    # Characters
    "quotes": 'it\'s "quoted" `so` «and» so',
    "emoji": "módulo 🚀 模块 👩‍👩‍👧 🏳️‍🌈",
    "right to left": "שלום مرحبا",
    "turned around": "\u202egpj.exe\u202c \u2066x\u2069",
    "nobody sees it": "htt\u200bp-mod\u00adule\u2060-v1\ufeff",
    "tags": "a\U000e0041\U000e0042b",
    "combining": "Z" + "\u0323\u0311\u0359\u035b" * 20,
    "long": "n" * 300,
    "long word with markup": "<i>" * 100,
    "nan": "nan",
    "none": "None",
}
"""What a person may register as a name, as far as it has no "/"; what a resource or a recording may hold."""

CONTROL: dict[str, str] = {
    "null": "a\x00b",
    "lines": "one\ntwo\r\nthree\u2028four\x0bfive\x85six",
    "a line of a log": "gone\n2026-01-01 00:00:00 INFO all is well",
    "colours": "\x1b[31mred\x1b[0m",
    "cursor": "\x1b[2J\x1b[1;1Hcleared",
    "title": "\x1b]0;pwned\x07",
    "link of a terminal": "\x1b]8;;https://spy.example/\x1b\\press\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cHduZWQ=\x07",
    "c1": "\x9b31mred\x9d0;pwned\x9c",
    "backspace": "good\x08\x08\x08\x08evil",
    "bell": "\x07\x7f",
}
"""What a pool refuses as a name, and a peer or a recording made by hand may say all the same."""

ALL = {**HOSTILE, **CONTROL}
