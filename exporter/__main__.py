"""`python -m exporter` is `mexport`."""

from exporter.cli import main

if __name__ == "__main__":
    main()
