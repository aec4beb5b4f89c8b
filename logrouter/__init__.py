"""logrouter: captures what an app writes, routes it by rules, delivers it as promised."""

__version__ = "0.1.0"
