"""XMP: what a picture says of itself, with what IPTC's older records say, and what was done to it, in one packet.

Kept are the properties that describe a picture: title, description, author, rights, credit, keywords, dates (Dublin
Core, Photoshop, IPTC Core and Extension, XMP Rights, PLUS, Creative Commons); where it was taken only if asked for.
Others describe the old file: its size, its edits, its thumbnail. (ISO 16684-1; IPTC Photo Metadata Standard.)
"""

from collections.abc import Mapping
from xml.etree import ElementTree

from lowres_jax import __version__

# Longest packet that fits into a JPEG's segment, with room for its head.
LONGEST = 60_000
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC, _PHOTOSHOP = "http://purl.org/dc/elements/1.1/", "http://ns.adobe.com/photoshop/1.0/"
_XMP, _LOWRES = "http://ns.adobe.com/xap/1.0/", "urn:lowres_jax:1.0/"
_CORE = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
_EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype"
_PREFIXES = {
    "rdf": _RDF,
    "dc": _DC,
    "photoshop": _PHOTOSHOP,
    "xmp": _XMP,
    "Iptc4xmpCore": _CORE,
    "Iptc4xmpExt": _EXTENSION,
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "cc": "http://creativecommons.org/ns#",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "lowres": _LOWRES,
}
for _prefix, _address in _PREFIXES.items():
    ElementTree.register_namespace(_prefix, _address)
_OF_XMP = frozenset({"Rating", "Label", "CreateDate", "Nickname"})
_OF_OLD_FILE = frozenset({"History", "SidecarForExtension", "LegacyIPTCDigest", "ColorMode", "ICCProfile"})
_PLACES = frozenset(
    {"City", "State", "Country", "Location", "CountryCode", "LocationCreated", "LocationShown", "CountryName"}
)
# IPTC-IIM's datasets of record 2 -> property, and how it holds text: one, in languages, in order, as a set.
_OF_IIM = {
    5: (_DC, "title", "Alt"),
    25: (_DC, "subject", "Bag"),
    40: (_PHOTOSHOP, "Instructions", ""),
    55: (_PHOTOSHOP, "DateCreated", ""),
    80: (_DC, "creator", "Seq"),
    85: (_PHOTOSHOP, "AuthorsPosition", ""),
    90: (_PHOTOSHOP, "City", ""),
    92: (_CORE, "Location", ""),
    95: (_PHOTOSHOP, "State", ""),
    101: (_PHOTOSHOP, "Country", ""),
    103: (_PHOTOSHOP, "TransmissionReference", ""),
    105: (_PHOTOSHOP, "Headline", ""),
    110: (_PHOTOSHOP, "Credit", ""),
    115: (_PHOTOSHOP, "Source", ""),
    116: (_DC, "rights", "Alt"),
    120: (_DC, "description", "Alt"),
    122: (_PHOTOSHOP, "CaptionWriter", ""),
}
_CHARACTER_SET, _UTF8 = (1, 90), b"\x1b%G"


def mark(model: str, invented: bool, name: str, checksum: str) -> dict[str, str]:
    """The properties of a picture that was enlarged.

    Args:
      model: names of the models.
      invented: true if a network added detail, which no interpolation does.
      name: file name of the input.
      checksum: SHA-256 of the input, in hexadecimal.
    """
    kind = "compositeWithTrainedAlgorithmicMedia" if invented else "algorithmicallyEnhanced"
    said = f"Enlarged by {model}" + ("; its detail is invented and no evidence" if invented else "")
    fields = {
        f"{{{_EXTENSION}}}DigitalSourceType": f"{_SOURCE_TYPES}/{kind}",
        f"{{{_XMP}}}CreatorTool": f"lowres_jax {__version__}",
        f"{{{_LOWRES}}}Model": model,
        f"{{{_LOWRES}}}Input": name,
        f"{{{_LOWRES}}}InputSHA256": checksum,
        f"{{{_PHOTOSHOP}}}Instructions": said,
    }
    return {key: value.encode(errors="replace").decode() for key, value in fields.items()}


def packet(
    found: bytes, records: bytes, texts: Mapping[str, str], marked: Mapping[str, str], place: bool
) -> tuple[bytes, list[str]]:
    """One packet of all there is to say, and the names of what was too long for it.

    Args:
      found: the picture's own packet; empty for none.
      records: IPTC-IIM records, which count where the packet does not have the same property.
      texts: name -> other texts that the format of the result has no place for.
      marked: see `mark`; empty for none.
      place: true if the place, where it was taken, is kept.

    Returns:
      The packet, empty where there is nothing to say, and names of properties that were left out.
    """
    every = _of_records(records) | _properties(found)
    properties = {key: each for key, each in every.items() if key not in marked and _is_kept(key, place)}
    instructions = f"{{{_PHOTOSHOP}}}Instructions"
    said = dict(marked)
    before = every.get(instructions)
    # What its author asks of who prints it stays beside what was done to it.
    if before is not None and before.text and instructions in said:
        said[instructions] = f"{before.text.strip()} | {said[instructions]}"
    if texts:
        properties[f"{{{_LOWRES}}}Text"] = _listed(
            f"{{{_LOWRES}}}Text", "Bag", [f"{name}: {text}" for name, text in texts.items()]
        )
    left_out = []
    while len(content := _packet(properties, said)) > LONGEST and properties:
        longest = max(properties, key=lambda key: len(ElementTree.tostring(properties[key])))
        left_out.append(longest.rpartition("}")[2])
        del properties[longest]
    return (content if properties or said else b""), left_out


def _packet(properties: Mapping[str, ElementTree.Element], said: Mapping[str, str]) -> bytes:
    root = ElementTree.Element(f"{{{_RDF}}}RDF")
    description = ElementTree.SubElement(root, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": "", **said})
    description.extend(properties.values())
    body = ElementTree.tostring(root, encoding="unicode")
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'{body}</x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def _is_kept(key: str, place: bool) -> bool:
    address, _, name = key[1:].partition("}")
    if name in _OF_OLD_FILE or (name in _PLACES and not place):
        return False
    return name in _OF_XMP if address == _XMP else address in _PREFIXES.values() and address not in (_RDF, _LOWRES)


def _properties(found: bytes) -> dict[str, ElementTree.Element]:
    """{address}name -> element of each property of a packet; none of a damaged one, or one with entities."""
    if not found or b"<!DOCTYPE" in found or b"<!ENTITY" in found:
        return {}
    try:
        root = ElementTree.fromstring(found.decode("utf-8", "replace").strip("\ufeff\0 \r\n\t"))
    except ElementTree.ParseError:
        return {}
    properties: dict[str, ElementTree.Element] = {}
    for description in root.iter(f"{{{_RDF}}}Description"):
        for key, value in description.attrib.items():
            if not key.startswith(f"{{{_RDF}}}"):
                element = ElementTree.Element(key)
                element.text = value
                properties[key] = element
        for element in description:
            element.tail = None
            properties.setdefault(element.tag, element)
    return properties


def _of_records(records: bytes) -> dict[str, ElementTree.Element]:
    """IPTC-IIM's records (IIM 4.2, 1.5 and 2) as properties."""
    values: dict[int, list[bytes]] = {}
    utf8, place = False, 0
    while place + 5 <= len(records) and records[place] == 0x1C:
        record, dataset = records[place + 1], records[place + 2]
        length = int.from_bytes(records[place + 3 : place + 5], "big")
        if length & 0x8000:  # of an extended dataset, longer than any text
            break
        value = records[place + 5 : place + 5 + length]
        place += 5 + length
        utf8 |= (record, dataset) == _CHARACTER_SET and value == _UTF8
        if record == 2 and dataset in _OF_IIM:
            values.setdefault(dataset, []).append(value)
    found = {}
    for dataset, own in values.items():
        address, name, kind = _OF_IIM[dataset]
        texts = [_text(value, utf8) for value in own]
        if dataset == 55 and len(texts[0]) == 8:  # a date without hyphens
            texts = [f"{texts[0][:4]}-{texts[0][4:6]}-{texts[0][6:]}"]
        found[f"{{{address}}}{name}"] = _listed(f"{{{address}}}{name}", kind, texts)
    return found


def _text(value: bytes, utf8: bool) -> str:
    """Text of a record: many programs write UTF-8 without saying so."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("utf-8", "replace") if utf8 else value.decode("latin-1")
    return "".join(each for each in text if each in "\t\n\r" or each >= " ")


def _listed(key: str, kind: str, texts: list[str]) -> ElementTree.Element:
    element = ElementTree.Element(key)
    if not kind:
        element.text = texts[0]
        return element
    holder = ElementTree.SubElement(element, f"{{{_RDF}}}{kind}")
    for text in texts:
        item = ElementTree.SubElement(holder, f"{{{_RDF}}}li")
        if kind == "Alt":
            item.set("{http://www.w3.org/XML/1998/namespace}lang", "x-default")
        item.text = "".join(each for each in text if each in "\t\n\r" or each >= " ")
    return element
