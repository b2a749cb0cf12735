"""The image has what the wheel needs: a folder that the wheel packs and the image forgets breaks the build."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_image_copies_everything_that_the_wheel_packs() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    packed = {*wheel["packages"], *wheel["force-include"]}
    stage = (ROOT / "services" / "Dockerfile").read_text().split("AS wheel")[1].split("hatchling build")[0]
    copied = {line.split()[1] for line in stage.splitlines() if line.startswith("COPY")}
    assert packed - copied == set()
