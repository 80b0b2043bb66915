"""Model files that want to do harm, made by the tests, and what notices if one succeeds."""
