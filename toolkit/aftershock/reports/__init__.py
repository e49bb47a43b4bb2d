"""From a notebook to a page that a client opens offline: run it, judge it, render it, check it for leaks, put it in place."""
