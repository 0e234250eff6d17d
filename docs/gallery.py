"""docs/gallery.md and its pictures: every degradation at five strengths on three photos, by model and by physics.

python docs/gallery.py --model bundled --work out/gallery

Images that an earlier run has finished in --work are taken as they are; `make gallery` begins anew.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_image

HERE = Path(__file__).parent
TYPES = ("haze", "rain", "snow", "motion_blur", "low_light", "raindrop", "rain+haze", "snow+haze")
STRENGTHS = (0.1, 0.3, 0.5, 0.7, 0.9)
WIDTH, HEIGHT, GAP, LABEL, SIDE = 216, 144, 4, 24, 22
SHAPE = (3, 2)  # of every photo
QUALITY = 80
REFUSED = "more than this\nphoto can lose"
SOME_FAILED = 3
"""How `gendeg synth` ends where a photo cannot take a strength."""
MOST_BYTES = 3_000_000
PAGE = """\
# Gallery

    make gallery

draws this page: each degradation, and the two mixes that models learn, at five strengths on three photos. Of each
photo, the upper row is by the model that comes along (`--model {model}`), the lower by the simulators
(`--model physics`), brought to the same strength. Nothing was chosen: it is seed 0 throughout, at {size} pixels. What a
strength means stands in [how it works](how-it-works.md).

{sections}
## Whose photos

The temple and the flower are the sample photos that come with scikit-learn, both CC BY 2.0: `china.jpg` by
[danielbuechele](https://www.flickr.com/photos/danielbuechele/), `flower.jpg` from the photos of
[vultilion](https://www.flickr.com/photos/vultilion/). The portrait of Grace Hopper comes with matplotlib; it was taken
for the US Navy and is in the public domain. They are cropped to three by two, and what is on the page is degraded on
purpose.
"""


def photos(folder: Path) -> list[Path]:
    """Three, in one shape: what is cut off a tall one is its lower part."""
    folder.mkdir(parents=True, exist_ok=True)
    portrait = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    images = {
        "temple": Image.fromarray(load_sample_image("china.jpg")),
        "flower": Image.fromarray(load_sample_image("flower.jpg")),
        "portrait": Image.open(portrait).convert("RGB"),
    }
    for name, image in images.items():
        width, height = image.size
        cut = (0, 0, width, min(height, width * SHAPE[1] // SHAPE[0]))
        image.crop(cut).save(folder / f"{name}.png")
    return [folder / f"{name}.png" for name in images]


def degrade(clean: Sequence[Path], out: Path, model: str, size: str) -> None:
    """All types and strengths, unless they are there."""
    if (out / "sheet.png").is_file():  # written last
        return
    command = [sys.executable, "-m", "gendeg", "synth", *map(str, clean), "--out", str(out), "--overwrite"]
    command += ["--size", size, "--model", model, "--type", ",".join(TYPES)]
    command += ["--intensity", ",".join(map(str, STRENGTHS))]
    if (code := subprocess.run(command).returncode) not in (0, SOME_FAILED):
        sys.exit(code)


def made(out: Path) -> dict[tuple[str, str, float], Path]:
    """(photo, type, strength) → its image, where there is one. Of a mix in parts, each part has a strength."""
    found = {}
    lines = (out / "records.jsonl").read_text().splitlines()
    if len(lines) != 3 * len(TYPES) * len(STRENGTHS):
        sys.exit(f"{out}: {len(lines)} records; remove the folder and begin anew")
    for line in lines:
        row = json.loads(line)
        if "failed" not in row:
            stem, kind, strength = Path(row["clean_path"]).stem, row["degradation"], row["intensity"]
            parts = kind.count("+") + 1 if len(row.get("parts") or ()) > 1 else 1
            digits = "-".join([f"{round(100 * strength):03}"] * parts)
            found[stem, kind, round(strength, 2)] = out / f"{stem}.{kind}.i{digits}.s{row['seed']}.png"
    return found


def sheet(kind: str, clean: Sequence[Path], makers: dict[str, dict]) -> Image.Image:
    """A row for each photo and maker: the photo, and what was made of it."""
    columns, rows = len(STRENGTHS) + 1, len(clean) * len(makers)
    size = (SIDE + columns * (WIDTH + GAP), LABEL + rows * (HEIGHT + GAP))
    picture, font = Image.new("RGB", size, "white"), ImageFont.load_default(size=16)
    draw = ImageDraw.Draw(picture)
    for column, text in enumerate(("clean", *map(str, STRENGTHS))):
        draw.text((SIDE + column * (WIDTH + GAP), 2), text, fill=(30, 30, 30), font=font)
    for row, (photo, name) in enumerate((photo, name) for photo in clean for name in makers):
        top = LABEL + row * (HEIGHT + GAP)
        picture.paste(upright(name, font), (0, top))
        paths = [photo, *(makers[name].get((photo.stem, kind, strength)) for strength in STRENGTHS)]
        for column, path in enumerate(paths):
            left = SIDE + column * (WIDTH + GAP)
            if path is None:
                draw.text((left + WIDTH // 2, top + HEIGHT // 2), REFUSED, (120, 120, 120), font, "mm", align="center")
            else:
                cell = Image.open(path).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
                picture.paste(cell, (left, top))
    return picture


def upright(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Image.Image:
    """A label that reads from below."""
    label = Image.new("RGB", (HEIGHT, SIDE), "white")
    ImageDraw.Draw(label).text((HEIGHT // 2, SIDE // 2), text, fill=(30, 30, 30), font=font, anchor="mm")
    return label.rotate(90, expand=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "gallery.md")
    parser.add_argument("--model", default="bundled", help="bundled, a folder or a hub id")
    parser.add_argument("--size", default="192", help="short side in pixels that the photos are degraded at")
    parser.add_argument("--work", type=Path, default=Path("out/gallery"))
    options = parser.parse_args()
    clean = photos(options.work / "photos")
    makers = {}
    for name, model in (("model", options.model), ("physics", "physics")):
        degrade(clean, options.work / name, model, options.size)
        makers[name] = made(options.work / name)
    folder = options.out.with_suffix("")
    folder.mkdir(exist_ok=True)
    sections = ""
    for kind in TYPES:
        file = folder / f"{kind.replace('+', '-')}.jpg"
        sheet(kind, clean, makers).save(file, quality=QUALITY)
        title = kind.replace("_", " ").replace("+", " and ")
        text = f"{title} at five strengths on three photos, by the model and by physics"
        sections += f"## {title.capitalize()}\n\n![{text.capitalize()}]({folder.name}/{file.name})\n\n"
    options.out.write_text(PAGE.format(model=options.model, size=options.size, sections=sections), encoding="utf-8")
    total = sum(path.stat().st_size for path in folder.glob("*.jpg"))
    if total > MOST_BYTES:
        sys.exit(f"the pictures have {total} bytes, more than {MOST_BYTES}: lower QUALITY")
    print(f"{options.out} and {len(TYPES)} pictures, {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
