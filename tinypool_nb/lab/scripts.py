"""The lessons: what happens to a connection, one step at a time, against modules of the lab.

Data alone. Their settings are shorter than the page's, so that a step takes seconds; each lesson's `about` says by how much.
`tinypool_nb.notebook.performing` does what the steps name.
"""

from collections.abc import Mapping
from types import MappingProxyType

from tinypool_nb.core.expectations import Born, Fails, Path, Replaced, Stays, Succeeds
from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.core.stepping import Act, Script, Step

IDLE, CONNECTING, READY, FAILURE = State.IDLE, State.CONNECTING, State.READY, State.TRANSIENT_FAILURE

QUICK = Backoff(initial=0.5, maximum=2.0, min_connect_timeout=1.0)
SHORTER = (
    "Shorter than usual: backoff from 0.5 s to 2 s (the page has 1 s to 120 s), an attempt is given up after 1 s at the earliest (20 s)."
)
PROMPT = 5.0
"""Seconds for what takes milliseconds on a quiet machine."""
PATIENT = 15.0
"""Seconds for what takes a few."""

START = Step(
    "Start a module",
    Act.START,
    "The lab starts a real gRPC server in a process of its own.",
    (),
    "There has to be somebody to connect to. Nobody is connected yet.",
)
REGISTER = Step(
    "Register it",
    Act.REGISTER,
    "pool.register(name, address)",
    (Born(),),
    "Registering is lazy: the module gets a channel, which is IDLE. Nothing is dialled before the first call.",
)
FIRST_CALL = Step(
    "Make the first call",
    Act.CALL,
    "pool.send(name) sends one message and waits for its answer.",
    (Path((IDLE, CONNECTING, READY), PROMPT),),
    "A call wakes an idle channel: it resolves the name, connects, shakes hands (CONNECTING), and the call goes out once it is READY.",
)

FIRST_LOOK = Script(
    name="first look",
    title="A first look: kill a module and bring it back",
    about=f"The life of a connection, from IDLE to READY and back by way of TRANSIENT_FAILURE. {SHORTER}",
    options=PoolOptions(backoff=QUICK),
    steps=(
        START,
        REGISTER,
        Step(
            "Wait, and see nothing",
            Act.WATCH,
            "Nothing is done for a second.",
            (Stays(IDLE, 1.0),),
            "Nobody asks, so nobody dials: an IDLE channel costs nothing on the network.",
        ),
        FIRST_CALL,
        Step(
            "Kill the module",
            Act.KILL,
            "module.kill() ends its process by SIGKILL, as a crash does.",
            (Path((READY, IDLE), PROMPT),),
            "The system closes the socket, so gRPC knows within milliseconds. With pick_first a lost connection is IDLE, in Go too.",
        ),
        Step(
            "Nobody asks",
            Act.WATCH,
            "Nothing is done for a second.",
            (Stays(IDLE, 1.0),),
            "IDLE stays IDLE: pick_first connects again only when somebody asks: a call, health_check() or reconnect().",
        ),
        Step(
            "Call what is dead",
            Act.CALL,
            "pool.send(name), though nobody listens.",
            (Path((IDLE, CONNECTING, FAILURE), PROMPT), Fails(1, PROMPT)),
            "The call wakes the channel, the attempt is refused, and the call fails with UNAVAILABLE. Python's gRPC core now stays in "
            "TRANSIENT_FAILURE until it is READY (gRFC A62); a Go client would go on to IDLE.",
            refused=True,
        ),
        Step(
            "Watch gRPC try by itself",
            Act.WATCH,
            "Nothing is done; gRPC goes on by its own ladder.",
            (Fails(3, PATIENT),),
            "After a failure gRPC waits 0.5 s, then 1.6 times as long each time, at most 2 s, each 20 % more or less (the jitter, so that "
            "a thousand clients do not come back at once). The timers of a busy machine may add a little.",
        ),
        Step(
            "Restart the module",
            Act.RESTART,
            "module.restart() starts it again at the same port.",
            (Path((FAILURE, READY), PATIENT),),
            "It is not noticed at once: the next attempt comes when its backoff is over, and that one succeeds. "
            "pool.reconnect(name) would not wait: it takes a fresh channel, which has no backoff.",
        ),
        Step(
            "Call again",
            Act.CALL,
            "pool.send(name)",
            (Stays(READY, 0.3),),
            "The same channel, the same stub: nobody who got it from pool.get had to do anything. The backoff is back at its start.",
        ),
    ),
)

FREEZE = Script(
    name="freeze",
    title="A frozen module, and how keepalive finds it",
    about="A machine that hangs says nothing, and its connections look alive. Only a ping that is not answered tells. "
    f"Keepalive: a ping after 1 s of silence, lost after 1 s without an answer (the page has 10 s and 3 s). {SHORTER}",
    options=PoolOptions(keepalive=Keepalive(time=1.0, timeout=1.0), backoff=QUICK),
    min_ping_interval=0.1,
    steps=(
        START,
        REGISTER,
        FIRST_CALL,
        Step(
            "Freeze it",
            Act.FREEZE,
            "module.freeze() stops its process by SIGSTOP.",
            (Path((READY, IDLE), PATIENT),),
            "No socket is closed, so gRPC hears nothing and stays READY, until a keepalive ping goes unanswered. Without keepalive that "
            "takes minutes, and every call waits until its deadline.",
        ),
        Step(
            "Ask it to connect",
            Act.CONNECT,
            "pool.health_check() asks whatever is not READY to connect.",
            (Path((IDLE, CONNECTING, FAILURE), PATIENT), Fails(1, PATIENT)),
            "The frozen machine's kernel still accepts connections, but nobody greets: CONNECTING lasts until the attempt's deadline, here "
            "1 s. Then TRANSIENT_FAILURE, in which Python's core stays through all further attempts (gRFC A62).",
        ),
        Step(
            "Thaw it",
            Act.THAW,
            "module.thaw() lets the process go on, by SIGCONT.",
            (Path((FAILURE, READY), PATIENT),),
            "The next attempt is greeted, or the one under way is: READY.",
        ),
    ),
)

GRACEFUL_STOP = Script(
    name="graceful stop",
    title="A graceful stop: GOAWAY",
    about=f"What a good server does before it ends, and what its clients see. {SHORTER}",
    options=PoolOptions(backoff=QUICK),
    steps=(
        START,
        REGISTER,
        FIRST_CALL,
        Step(
            "Stop it while a call is under way",
            Act.STOP,
            "A call that takes a second is sent, and module.stop() ends the server gracefully meanwhile.",
            (Path((READY, IDLE), PROMPT),),
            "The server says GOAWAY: no new calls here. The channel is IDLE at once, yet the call under way is answered.",
        ),
        Step(
            "Restart it",
            Act.RESTART,
            "module.restart() starts it again at the same port.",
            (Stays(IDLE, 1.0),),
            "Nobody tells the client that the server is back, and nobody asks: IDLE stays IDLE.",
        ),
        Step(
            "Call again",
            Act.CALL,
            "pool.send(name)",
            (Path((IDLE, CONNECTING, READY), PROMPT),),
            "A call asks, so the channel connects. Nothing ever failed: a graceful stop need not cost a single call.",
        ),
    ),
)

ADDRESS_CHANGE = Script(
    name="address change",
    title="A module moves to another address",
    about=f"What Kubernetes does when it replaces a pod, and how the pool follows. {SHORTER}",
    options=PoolOptions(backoff=QUICK),
    steps=(
        START,
        REGISTER,
        FIRST_CALL,
        Step(
            "Move it",
            Act.MOVE,
            "module.move() starts it at a new port and ends the old one gracefully.",
            (Path((READY, IDLE), PROMPT),),
            "The old server says GOAWAY. The pool still knows the old address only.",
        ),
        Step(
            "Call the old address",
            Act.CALL,
            "pool.send(name)",
            (Path((IDLE, CONNECTING, FAILURE), PROMPT),),
            "Nobody listens there any more, so the attempt is refused and the call fails. Trying on would never help.",
            refused=True,
        ),
        Step(
            "Register the new address",
            Act.REGISTER_MOVED,
            "pool.register(name, new_address); with Kubernetes, discovery does it.",
            (Replaced(PROMPT),),
            "Another address is another channel, of the next generation, without the old one's backoff; the old one is closed once its "
            "calls have ended. Whoever holds the pooled channel takes the new one with the next call.",
        ),
        Step(
            "Call again",
            Act.CALL,
            "pool.send(name)",
            (Path((IDLE, CONNECTING, READY), PROMPT),),
            "The stub is the same, the connection another.",
        ),
    ),
)

ROUND_ROBIN = Script(
    name="round robin",
    title="Round robin: one of two replicas is lost",
    about=f"Two replicas share the calls; the channel is READY as long as one of them is. {SHORTER}",
    options=PoolOptions(load_balancing="round_robin", backoff=QUICK),
    steps=(
        START._replace(
            title="Start two replicas",
            act=Act.START_REPLICAS,
            does="The lab starts two real gRPC servers behind one address: ipv4:127.0.0.1:port,127.0.0.1:port.",
        ),
        REGISTER._replace(does='pool.register(name, address, options=tp.PoolOptions(load_balancing="round_robin"))'),
        FIRST_CALL._replace(
            expected=(Path((IDLE, CONNECTING, READY), PROMPT), Succeeds(PROMPT, times=2)),
            why="round_robin connects to every address at once, and the channel is READY with the first of them.",
        ),
        Step(
            "Call ten times",
            Act.CALL_MANY,
            "pool.send(name), ten times.",
            (Stays(READY, 0.3),),
            "The calls go to the replicas in turn.",
        ),
        Step(
            "Kill one replica",
            Act.KILL_ONE,
            "module.replicas[0].kill()",
            (Stays(READY, 1.0), Fails(2, PATIENT)),
            "The channel stays READY by the other replica. The lost one is tried again by itself, on its own ladder: unlike pick_first, "
            "round_robin does not wait to be asked.",
        ),
        Step(
            "Call ten times",
            Act.CALL_MANY,
            "pool.send(name), ten times.",
            (Stays(READY, 0.3),),
            "Nobody notices: all calls go to the replica that is left.",
        ),
        Step(
            "Restart it",
            Act.RESTART_ONE,
            "module.replicas[0].restart()",
            (Succeeds(PATIENT), Stays(READY, 0.3)),
            "At its next attempt it is back, and takes its share of the calls again.",
        ),
        Step(
            "Kill both",
            Act.KILL,
            "module.kill()",
            (Path((READY, CONNECTING, FAILURE), PATIENT),),
            "With no replica left the channel goes to CONNECTING and, once every address was refused, to TRANSIENT_FAILURE: never IDLE, "
            "since round_robin always tries. There Python's core stays until READY (gRFC A62).",
        ),
        Step(
            "Restart both",
            Act.RESTART,
            "module.restart()",
            (Path((FAILURE, READY), PATIENT),),
            "The first replica that answers makes the channel READY. Nobody had to ask.",
        ),
    ),
)

SCRIPTS: Mapping[str, Script] = MappingProxyType(
    {script.name: script for script in (FIRST_LOOK, FREEZE, GRACEFUL_STOP, ADDRESS_CHANGE, ROUND_ROBIN)}
)
"""The lessons by name, in the order in which one learns from them."""
