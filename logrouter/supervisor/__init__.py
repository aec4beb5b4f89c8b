"""`logrouter run -- app`: the process that stands between whoever starts an app, the app, and the router.

    who starts us ──signals, stdin──▶ supervisor ──signals──▶ app       same process group, stdin, folder, environment
                   ◀──exit code─────      │  ▲     ◀──pipes──
                                          │  └─ status: {"state": "ready", …}
                                          └─ wake ──────────▶ router    a session of its own; started again when it dies

Goals: the app behaves as if nobody stood there, and outlives the router. So this process does little, needs nothing
but the standard library, and as little of that as it can: it stays for as long as the app does, beside it in the same
memory limit (12 MiB). It knows nothing of the config: the router reads that, and says when it is ready what there is
to know (`router.Terms`). Only then is the app started.

How the app's output reaches the router:

    pipe           the app writes into a pipe that the router reads. Its other ends are kept open here, so that what
                   was in it is still there when the router has died
    pipe and tee   read here, written into that pipe and to our own stdout or stderr
    spool          moved here into files in the spool's folder, which the router reads and deletes (`capture`)

    signals   what is sent to us, as something to wait for        children  starting, and what exit codes mean
    router    the router's life: handshake, ready, backoff        streams   one of the app's two outputs, on its way
    outlet    a stream we write to, and must not wait for         capture   files that hold what the app wrote
    log       what we have to say ourselves                       supervise the whole
"""

from typing import Final

STREAMS: Final = ("stdout", "stderr")
"""The app's outputs, in the order of their descriptors."""
VARIABLE: Final = "LOGROUTER_SUPERVISED"
"""By it the router knows that it is one: see `router`."""
