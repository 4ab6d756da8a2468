"""Announcements: who hears of what a person does to the lab."""

import logging

import pytest

from tinypool_nb.lab import actions
from tinypool_nb.lab.actions import Action, announce


class Diary:
    def __init__(self) -> None:
        self.heard: list[Action] = []

    def lab_acted(self, action: Action) -> None:
        self.heard.append(action)


class Deaf(Diary):
    def lab_acted(self, action: Action) -> None:
        raise RuntimeError("deaf")


KILL = Action("kill", "http-module-v1", "127.0.0.1:20001")


def test_every_listener_hears() -> None:
    diaries = [Diary(), Diary()]
    for diary in diaries:
        actions.listeners.add(diary)
    announce(KILL)
    assert [diary.heard for diary in diaries] == [[KILL], [KILL]]


def test_one_that_raises_is_dropped_and_logged_and_the_others_hear(caplog: pytest.LogCaptureFixture) -> None:
    diary, deaf = Diary(), Deaf()
    actions.listeners.add(deaf)
    actions.listeners.add(diary)
    with caplog.at_level(logging.ERROR):
        announce(KILL)
        announce(KILL)
    assert diary.heard == [KILL, KILL]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "kill of 'http-module-v1'" in caplog.text


def test_listeners_are_held_weakly() -> None:
    actions.listeners.add(Diary())
    assert not [listener for listener in actions.listeners if type(listener) is Diary]
