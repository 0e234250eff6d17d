"""The picture of the README: one photo under six degradations, and one degradation at five strengths (`make picture`).

python docs/picture.py --out docs/picture.jpg --model bundled
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_image

HERE = Path(__file__).parent
WIDTH, GAP, LABEL = 1200, 8, 30
STRONG, STRENGTHS, GROWING = "0.6", "0.1,0.3,0.5,0.7,0.9", "haze"


def degrade(photo: Path, out: Path, *options: str) -> list[tuple[str, Image.Image]]:
    """What `gendeg synth` makes of the photo, each image with its label."""
    command = [sys.executable, "-m", "gendeg", "synth", str(photo), "--out", str(out), "--overwrite", *options]
    subprocess.run(command, check=True)
    rows = [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]
    return [(label(row), Image.open(out / name(photo, row)).convert("RGB")) for row in rows]


def label(row: dict) -> str:
    return f"{row['degradation'].replace('_', ' ')} {row['intensity']:.1f}"


def name(photo: Path, row: dict) -> str:
    return f"{photo.stem}.{row['degradation']}.i{round(100 * row['intensity']):03}.s{row['seed']}.png"


def paste(picture: Image.Image, cells: list[tuple[str, Image.Image]], columns: int, top: int) -> int:
    """Cells from `top` on, row by row; returns where they end."""
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=20)
    width = (WIDTH - GAP * (columns + 1)) // columns
    height = round(width * cells[0][1].height / cells[0][1].width)
    for place, (text, image) in enumerate(cells):
        left = GAP + place % columns * (width + GAP)
        above = top + place // columns * (height + LABEL)
        draw.text((left, above + 2), text, fill=(30, 30, 30), font=font)
        picture.paste(image.resize((width, height), Image.Resampling.LANCZOS), (left, above + LABEL))
    return top + -(-len(cells) // columns) * (height + LABEL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "picture.jpg")
    parser.add_argument("--model", default="bundled", help="bundled, a folder or a hub id")
    parser.add_argument("--size", default="256", help="short side in pixels that the photo is degraded at")
    parser.add_argument("--work", type=Path, default=Path("out/picture"))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    photo = options.work / "china.png"
    clean = Image.fromarray(load_sample_image("china.jpg"))
    clean.save(photo)
    shared = ("--size", options.size, "--model", options.model)
    six = degrade(photo, options.work / "six", "--type", "all", "--intensity", STRONG, *shared)
    five = degrade(photo, options.work / "five", "--type", GROWING, "--intensity", STRENGTHS, *shared)
    picture = Image.new("RGB", (WIDTH, 2 * WIDTH), "white")
    end = paste(picture, six, columns=3, top=0)
    end = paste(picture, [("clean", clean), *five], columns=6, top=end + GAP)
    picture.crop((0, 0, WIDTH, end + GAP)).save(options.out, quality=85)


if __name__ == "__main__":
    main()
