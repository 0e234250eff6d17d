"""`python -m gendeg`, which accelerate launches."""

from gendeg.cli import main

if __name__ == "__main__":
    main()
