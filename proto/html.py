"""Write the AsyncAPI document as one page of HTML that needs no network: `make asyncapi-html`.

The program that draws it is AsyncAPI's own, fetched by npm and checked by its hash.
"""

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

import yaml

PROTO: Final = Path(__file__).parent
PACKAGE: Final = "@asyncapi/react-component@3.2.1"
SHA512: Final = (
    "k5ZqJd6+oxYaQ2o6F3rGWJ1MTIjXdpsUYB3NKQbVqr4yzrN0Ovj5c7eZx8NGd3wfKPhbOrLREtYl9K2OPfnSsA=="
)
SCRIPT: Final = "package/browser/standalone/index.js"
STYLE: Final = "package/styles/default.min.css"
PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<div id="asyncapi"></div>
<script>{script}</script>
<script>
AsyncApiStandalone.render({{schema: {document}, config: {{show: {{sidebar: true}}}}}},
  document.getElementById("asyncapi"));
</script>
</body>
</html>
"""


def main() -> None:
    parts = _parts(_fetched())
    document = yaml.safe_load((PROTO / "asyncapi.yaml").read_text())
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(
        PAGE.format(
            title=document["info"]["title"],
            style=parts[STYLE],
            script=_inside_script(parts[SCRIPT]),
            document=_inside_script(json.dumps(document, default=str)),
        )
    )
    print(target)


def _fetched() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = ("npm", "pack", "--silent", "--pack-destination", folder, PACKAGE)
        subprocess.run(command, check=True, timeout=300)  # noqa: S603 - of constants
        (found,) = Path(folder).iterdir()
        packed = found.read_bytes()
    digest = base64.b64encode(hashlib.sha512(packed).digest()).decode()
    if digest != SHA512:
        sys.exit(f"{PACKAGE} is not what it was: sha512-{digest}")
    return packed


def _parts(packed: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = {name: archive.extractfile(name) for name in (SCRIPT, STYLE)}
        return {name: file.read().decode() for name, file in files.items() if file is not None}


def _inside_script(text: str) -> str:
    """Keep it from ending the element it stands in."""
    return text.replace("</script", "<\\\\/script").replace("<!--", "<\\\\!--")


if __name__ == "__main__":
    main()
