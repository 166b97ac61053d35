import json
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from random import Random

from distributary.models import model_file
from distributary.prompts import SPECIAL_TOKENS
from distributary.tokens import load_counter

ASK_LLAMA = """
import json, sys, urllib.request, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.verbosity = sys.argv[1], 256, 0
params.warmup = False
server = xllamacpp.Server(params)
def ids(text):
    body = {"content": text, "add_special": True, "parse_special": True}
    headers = {"Content-Type": "application/json"}
    url = server.listening_address + "/tokenize"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request))["tokens"]
print(json.dumps([ids(text) for text in json.load(sys.stdin)]))
"""
SCRIPTS = [
    (0x20, 0x7F), (0xA0, 0x250), (0x370, 0x500), (0x5D0, 0x700), (0x900, 0xE00), (0x2000, 0x2C00),
    (0x3040, 0x3100), (0x4E00, 0x5000), (0xAC00, 0xAD00), (0x1D400, 0x1D800), (0x1F300, 0x1F700),
]  # fmt: skip
STRANGE = [
    "", " ", "\n\n a\n\t b", "1234 12,345.67", "don't we'LL I'm", "½ ² Ⅷ ٣٤ 一二三",
    "👨‍👩‍👧 e\u0301", "a\u00a0b\u2003c\u200bd", "\r\n\r\nx", "x   \n   y ",
    "def f(x):\n    return x**2\n\n\n", "".join(SPECIAL_TOKENS), "<|im_start |>",
    "\u1680x\u2028y\u3000",
]  # fmt: skip


def varied_texts(seed: int) -> list[str]:
    random = Random(seed)
    texts = list(STRANGE)
    for distribution in sorted(distributions(), key=lambda d: d.name)[:30]:
        described = distribution.metadata.get_all("Description") or ["x"]
        text = distribution.metadata.get_payload() or described[0] or "x"
        for _ in range(5):
            start = random.randrange(len(text))
            texts.append(text[start : start + random.randrange(1, 400)])
    for _ in range(250):
        low, high = random.choice(SCRIPTS)
        letters = (chr(random.randrange(low, high)) for _ in range(random.randrange(1, 40)))
        texts.append("".join(random.choice([letter, letter, " ", "\n", "1"]) for letter in letters))
    return texts


def test_ids__hundreds_of_varied_texts__are_llama_cpps(triton_python: Path, tmp_path: Path) -> None:
    texts = varied_texts(seed=3)
    counter = load_counter(model_file(), tmp_path)
    asked = subprocess.run(
        [triton_python, "-c", ASK_LLAMA, model_file()],
        input=json.dumps(texts), capture_output=True, text=True, check=True,
    )  # fmt: skip
    theirs = json.loads(asked.stdout.splitlines()[-1])
    different = [t for t, ids in zip(texts, theirs, strict=True) if counter.ids(t) != ids]
    assert different == []
