# ruff: noqa: RUF001
"""Texts that look alike to a reader, brought to one spelling before they are compared.

The pairs are those of Unicode's confusables (UTS 39) that make a Latin letter of another script's
or of a small capital. The list need not be whole: a word disguised by what it lacks counts as a
replaced word, and a text in which most words are disguised is no longer found by its words.
"""

import unicodedata
from typing import Final

_INVISIBLE: Final = frozenset(("Cf", "Mn", "Me"))
_FILLERS: Final = "\u115f\u1160\u3164\uffa0"  # letters, says Unicode, but blank

_PAIRS: Final = (
    # Cyrillic
    ("АВЕЅІЈКМНОРСТУҮХԚԜԌ", "ABESIJKMHOPCTYYXQWG"),
    ("авгеиѕіјкмнопрстухүѵԁԛԝһӏ", "abreusijkmhonpctyxyvdqwhl"),
    # Greek
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEZHIKMNOPTYXC"),
    ("αγεηικνορστυχωςϲϳ", "ayenikvopotuxwccj"),
    # Armenian
    ("ՕՍԼՏ", "OULS"),
    ("օսհոցզյք", "ouhngqjp"),
    # Cherokee
    ("ᎠᎡᎢᎥᎪᎫᎬᎳᎷᎻᏀᏃᏚᏟᏢᏙᏞᏦᏴᏒᏔ", "DRTIAJEWMHGZSCPVLKBRW"),
    # Latin: small capitals, and letters with a stroke or without a dot
    ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz"),
    ("ɑɡıȷɩøđłħŧƙɓɗɵ", "agijiodlhtkbdo"),
    ("ØĐŁĦŦ", "ODLHT"),
)
_LATIN: Final = str.maketrans(
    {look: latin for looks, letters in _PAIRS for look, latin in zip(looks, letters, strict=True)}
)


def fold(text: str) -> str:
    """The text without invisible characters and accents, in Latin letters where it looks Latin.

    Compatibility forms (full width, ligatures, mathematical letters) are decomposed (NFKD).
    """
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text)
    drop = {ord(one): None for one in set(plain) if unicodedata.category(one) in _INVISIBLE}
    drop |= dict.fromkeys(map(ord, _FILLERS))
    return plain.translate(drop).translate(_LATIN)
