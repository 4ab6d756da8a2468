"""The exercises of notebook 05: finding the modules."""

from tinypool_nb.course.exercises import Exercise, Judgement, choice, look, right, rows_of, several

MADE = "mail-module-v1"
"""The resource that is made by hand."""


def _made(modules: object) -> Judgement:
    """Judge a frame of the discovered modules."""
    found = rows_of(modules, "module", "state", "reason")
    if found is None:
        return look('the frame pool.modules() is asked for, as it stood in the cell: tp.course.check("05.4", pool.modules())')
    rows = {str(name): (str(state), str(reason)) for name, state, reason in found}
    if MADE not in rows:
        return look(
            f"the cluster tells of {', '.join(sorted(rows)) or 'nothing'}, and of no {MADE}. Which verb made queue-module-v1 above?"
        )
    state, reason = rows[MADE]
    if state != "registered":
        return look(f"the resource is there, and the pool says of it: {state}, {reason}. Give it addr=module.address.")
    return right(f"the pool found {MADE} and registered it, with a channel of its own. Nobody restarted anything.")


EXERCISES = several(
    (
        Exercise(
            "05.1",
            "what a stub needs after a move",
            choice(
                {
                    "nothing": right(
                        "the pool registered the new address by itself, and the stub takes the module's current channel at each call."
                    ),
                    "register": look("the cell called no register, and the second answer came from the new port. Who told the pool?"),
                    "get": look("it is the same variable `stub` in both lines. Look at the two ports."),
                }
            ),
            ("The resource was changed. Who watches it?", "Look at the two ports, and at which stub was used for both."),
        ),
        Exercise(
            "05.2",
            "a crash",
            choice(
                {
                    "keep": right("the resource says where the module belongs, not whether it is well. The connection's state says that."),
                    "unregister": look(
                        "look at the list that was printed: it still holds the module. What would have had to change in the cluster?"
                    ),
                }
            ),
            ("What in the cluster has changed by the crash?", "The pool follows resources, and the resource is still there."),
        ),
        Exercise(
            "05.3",
            "an address that is none",
            choice(
                {
                    "refuse": right("it is quarantined, with the reason, and everything else goes on."),
                    "try": look("gRPC would take it for a name, and search for it for ever. Look at the column `state` of that row."),
                    "stop": look("one bad entry must not take the others away. Look at the other rows of the table."),
                }
            ),
            ("Look at the columns `state` and `reason`.", "Quarantined means: known, and not dialled."),
        ),
        Exercise(
            "05.4",
            "make a resource",
            _made,
            (
                "lab.resources can make, change and delete them.",
                'lab.resources.create(name, addr=...): the name is "mail-module-v1".',
                'lab.resources.create("mail-module-v1", addr=module.address)',
            ),
        ),
        Exercise(
            "05.5",
            "calls without an API server",
            choice(
                {
                    "work": right("calls go straight from the pool to the module. The API server only tells where modules are."),
                    "fail": look("the module answered. Does the API server stand between the pool and the module?"),
                    "wait": look("the module answered at once. Does the API server stand between the pool and the module?"),
                }
            ),
            ("Which way does a call take: through the API server, or past it?", "The API server is an address book."),
        ),
    )
)
