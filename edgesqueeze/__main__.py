"""``python -m edgesqueeze``."""

from edgesqueeze.cli import main

if __name__ == "__main__":
    main()
