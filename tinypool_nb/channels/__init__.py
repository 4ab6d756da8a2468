"""The connections: opening them, watching them without losing a transition, and the page's pool over them."""

from tinypool_nb.channels.environment import prepare

prepare()  # every module of this room imports grpc, which reads its environment while it loads
