"""Small models of many kinds, trained for seconds, and what the command line must make of each.

``table.py`` has a row for each model; ``make.py`` builds and trains one in a process of its own;
``running.py`` puts it through the command line, and ``judging.py`` says whether what came out is right.
"""
