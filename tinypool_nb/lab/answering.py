"""The process's side of `tinypool_nb.lab.asking`: it is asked in lines on its stdin, and answers on its stdout."""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any


async def answer_questions(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answer every question, until the end of stdin. An OSError of `answer` is told, and the process goes on."""
    questions = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    async for line in questions:
        question = json.loads(line)
        try:
            answered = answer(question)
        except OSError as error:
            answered = {"error": str(error)}
        sys.stdout.write(json.dumps({"number": question["number"], **answered}) + "\n")
        sys.stdout.flush()
