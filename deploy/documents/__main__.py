"""Write the generated parts of `docs/`: `python -m deploy.documents`, or `make docs`."""

from __future__ import annotations

from deploy.documents.pages import FOLDER, PAGES, current


def main() -> None:
    """Bring every page up to date."""
    for name in PAGES:
        path = FOLDER / name
        path.write_text(current(name), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
