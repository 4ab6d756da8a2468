"""The verbs of the lab, each against real processes."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import psutil
import pytest

from tinypool_nb.errors import LabError, ModuleNameError, OptionsError
from tinypool_nb.lab import Lab, Module, ServerState, actions
from tinypool_nb.lab.actions import Action

Ask = Callable[..., dict[str, Any]]


def code_of(call: Callable[[], object]) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    assert isinstance(raised.value, grpc.Call)
    code = raised.value.code()
    assert isinstance(code, grpc.StatusCode)
    return code


def test_a_module_serves_when_start_returns(lab: Lab, ask: Ask) -> None:
    module = lab.start("http-module-v1")
    answer = ask(module.address)
    assert (answer["module"], answer["pid"], answer["port"]) == ("http-module-v1", module.pid, module.port)
    assert module.state is ServerState.SERVING
    assert module.address == f"127.0.0.1:{module.port}"
    assert 20_000 <= module.port < 32_768
    assert repr(module) == f"<Module http-module-v1: serving at 127.0.0.1:{module.port}, pid {module.pid}>"
    assert repr(lab) == f"<Lab http-module-v1: serving at 127.0.0.1:{module.port}, pid {module.pid}>"


def test_several_start_at_once(lab: Lab, ask: Ask) -> None:
    modules = lab.start_all(["a", "b", "c"])
    assert [ask(module.address)["module"] for module in modules] == ["a", "b", "c"] == list(lab) == list(lab.modules)
    assert lab["b"] is modules[1]
    assert "c" in lab
    assert len(lab) == 3


def test_kill_and_restart_keep_the_port(lab: Lab, ask: Ask) -> None:
    module = lab.start("http-module-v1")
    address, pid = module.address, module.pid
    module.kill()
    assert module.state is ServerState.KILLED
    assert code_of(lambda: ask(address)) is grpc.StatusCode.UNAVAILABLE
    module.restart()
    assert module.address == address
    assert module.pid != pid
    assert ask(address)["pid"] == module.pid


def test_freeze_and_thaw(lab: Lab, ask: Ask, channel_to: Callable[..., Any]) -> None:
    module = lab.start("http-module-v1")
    with channel_to(module.address) as channel:
        grpc.channel_ready_future(channel).result(5)
        module.freeze()
        assert str(module.state) == "frozen"
        assert psutil.Process(module.pid).status() == psutil.STATUS_STOPPED
        assert code_of(lambda: ask(module.address, timeout=0.2)) is grpc.StatusCode.DEADLINE_EXCEEDED
        module.thaw()
        assert module.state is ServerState.SERVING
        assert ask(module.address)["pid"] == module.pid


def test_a_frozen_module_can_be_killed_and_restarted_but_not_stopped(lab: Lab, ask: Ask) -> None:
    module = lab.start("http-module-v1")
    module.freeze()
    with pytest.raises(LabError, match="frozen and cannot end by itself; thaw"):
        module.stop()
    module.restart()
    assert ask(module.address)["pid"] == module.pid
    module.freeze()
    module.kill()
    assert module.state is ServerState.KILLED


def test_stop_lets_a_call_under_way_end(lab: Lab, channel_to: Callable[..., Any], start_call: Callable[..., Any]) -> None:
    module = lab.start("http-module-v1")
    with channel_to(module.address) as channel:
        call = start_call(channel, delay=0.3)
        module.stop(grace=5)
        assert module.state is ServerState.STOPPED
        assert call.code() is grpc.StatusCode.OK


def test_stop_cancels_a_call_when_the_grace_is_over(lab: Lab, channel_to: Callable[..., Any], start_call: Callable[..., Any]) -> None:
    module = lab.start("http-module-v1")
    with channel_to(module.address) as channel:
        call = start_call(channel, delay=30)
        module.stop(grace=0.1)
        assert call.code() is not grpc.StatusCode.OK


def test_move_changes_the_port_and_ends_the_old_server(
    lab: Lab, ask: Ask, channel_to: Callable[..., Any], start_call: Callable[..., Any]
) -> None:
    module = lab.start("http-module-v1")
    old = module.address
    with channel_to(old) as channel:
        call = start_call(channel, delay=0.3)
        assert module.move() == module.address != old
        assert call.code() is grpc.StatusCode.OK
    assert code_of(lambda: ask(old)) is grpc.StatusCode.UNAVAILABLE
    assert ask(module.address)["pid"] == module.pid


def test_replicas_stand_behind_one_address_and_break_one_by_one(lab: Lab, ask: Ask) -> None:
    module = lab.start("common-module-v1", replicas=2)
    first, second = module.replicas
    assert module.address == f"ipv4:{first.address},{second.address}"
    assert module.ports == (first.port, second.port)
    assert {ask(replica.address)["replica"] for replica in module.replicas} == {0, 1}
    first.kill()
    assert (module.state, first.state, second.state) == (ServerState.SERVING, ServerState.KILLED, ServerState.SERVING)
    assert ask(module.address)["replica"] == 1
    second.freeze()
    assert module.state is ServerState.FROZEN
    assert str(module).endswith(f"killed at {first.address}, pid {first.pid}; frozen at {second.address}, pid {second.pid}")
    first.restart()
    second.thaw()
    before = module.ports
    second.move()
    assert module.ports == (before[0], second.port)
    assert second.port != before[1]
    module.kill()
    assert {replica.state for replica in module.replicas} == {ServerState.KILLED}
    module.restart()
    assert {ask(replica.address)["replica"] for replica in module.replicas} == {0, 1}


def test_what_another_does_to_a_server_shows_in_its_state(lab: Lab) -> None:
    module = lab.start("http-module-v1")
    psutil.Process(module.pid).suspend()
    assert lab._processes.wait(lambda: module.state is ServerState.FROZEN, 5)
    psutil.Process(module.pid).resume()
    assert lab._processes.wait(lambda: module.state is ServerState.SERVING, 5)
    psutil.Process(module.pid).kill()
    assert lab._processes.wait(lambda: module.state is ServerState.KILLED, 5)


def test_each_verb_is_announced_once_and_idle_ones_are_not(lab: Lab) -> None:
    class Diary:
        heard: list[Action]

        def lab_acted(self, action: Action) -> None:
            self.heard.append(action)

    diary = Diary()
    diary.heard = []
    actions.listeners.add(diary)
    module = lab.start("http-module-v1")
    old = module.address
    for verb in ("freeze", "freeze", "thaw", "thaw", "kill", "kill", "stop", "restart", "stop", "restart"):
        getattr(module, verb)()
    module.move()
    expected = [
        ("start", old),
        ("freeze", old),
        ("thaw", old),
        ("kill", old),
        ("restart", old),
        ("stop", old),
        ("restart", old),
        ("move", old),
    ]
    assert diary.heard == [Action(verb, "http-module-v1", address) for verb, address in expected]


def test_threads_break_different_modules_at_the_same_time(lab: Lab) -> None:
    modules = lab.start_all(["a", "b", "c"])

    def break_it(module: Module) -> None:
        for _ in range(20):
            module.freeze()
            module.thaw()
        module.move()
        module.kill()
        module.restart()

    with ThreadPoolExecutor() as threads:
        list(threads.map(break_it, modules))
    assert [str(module.state) for module in modules] == ["serving"] * 3


def test_threads_that_change_one_module_leave_one_server(lab: Lab) -> None:
    module = lab.start("http-module-v1")
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda verb: verb(), [module.restart, module.move, module.restart]))
    (server,) = psutil.Process(lab._processes._guard.pid).children()
    assert (str(module.state), module.pid) == ("serving", server.pid)


def test_a_port_that_is_taken_is_said(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LabError, match=f"'http-module-v1' did not start: port {port} of 127.0.0.1 cannot be bound"):
            lab.start("http-module-v1", port=port)
    assert lab.start("http-module-v1", port=port).port == port  # the failure left no module behind


def test_a_module_whose_port_was_taken_meanwhile_says_so_and_waits_for_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    module = lab.start("http-module-v1")
    module.kill()
    monkeypatch.setattr("tinypool_nb.lab.modules.PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", module.port)), pytest.raises(LabError, match=f"port {module.port} .* another process has it"):
        module.restart()
    assert str(module.state) == "killed"
    module.restart()
    assert str(module.state) == "serving"


def test_only_allowed_ports_are_taken() -> None:
    with Lab(ports=range(31_001, 31_004)) as lab:
        assert {module.port for module in lab.start_all("abc")} == {31_001, 31_002, 31_003}
        with pytest.raises(LabError, match="no port is left"):
            lab.start("d")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"name": ""}, ModuleNameError),
        ({"name": "a/b"}, ModuleNameError),
        ({"name": "x", "port": 0}, OptionsError),
        ({"name": "x", "port": 65_536}, OptionsError),
        ({"name": "x", "port": 65_535, "replicas": 2}, OptionsError),
        ({"name": "x", "port": "80"}, OptionsError),
        ({"name": "x", "replicas": 0}, OptionsError),
        ({"name": "x", "replicas": True}, OptionsError),
        ({"name": "x", "min_ping_interval": 0}, OptionsError),
    ],
)
def test_bad_settings_are_refused_at_the_door(lab: Lab, settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        lab.start(**settings)


@pytest.mark.parametrize("ports", [range(0), range(3), range(65_530, 70_000), [20_000], None])
def test_bad_ports_are_refused_at_the_door(ports: Any) -> None:
    with pytest.raises(OptionsError):
        Lab(ports=ports)


def test_wrong_verbs_say_what_to_do(lab: Lab) -> None:
    module = lab.start("http-module-v1")
    with pytest.raises(LabError, match=r"lab\['http-module-v1'\].restart\(\)"):
        lab.start("http-module-v1")
    with pytest.raises(LabError, match="twice"):
        lab.start_all(["a", "a"])
    with pytest.raises(LabError, match=r"no module 'x' is in this lab; there is 'http-module-v1'"):
        lab["x"]
    with pytest.raises(OptionsError):
        module.stop(grace=-1)
    with pytest.raises(OptionsError):
        module.move(grace=float("nan"))
    module.kill()
    with pytest.raises(LabError, match=r"it is killed; restart\(\) it first"):
        module.freeze()
    lab.close()
    lab.close()
    with pytest.raises(LabError, match="the lab is closed"):
        module.restart()
    assert repr(lab).startswith("<Lab closed; http-module-v1: killed")


def test_hostile_names_are_only_names(lab: Lab, ask: Ask) -> None:
    name = "<b>'\"$(x)\\ ☃ \U0001f600"
    assert ask(lab.start(name).address)["module"] == name
