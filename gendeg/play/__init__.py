"""gendeg play: a page to try degradations on, served from here, that asks nothing of any other machine."""
