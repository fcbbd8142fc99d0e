"""A made-up community whose every habit is known: the ground truth for tests, the demo and the tiny base."""

from agents.synthetic.community import Community, make_community
from agents.synthetic.writing import write_community

__all__ = ["Community", "make_community", "write_community"]
