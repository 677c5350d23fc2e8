"""Names of the files of real corpora, as their homes have them; no audio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import product

DIGITS = [f"{number:02}" for number in range(1, 100)]


def ravdess(channel: str = "01") -> Iterator[str]:
    song = channel == "02"
    for actor in DIGITS[:24]:
        for emotion in DIGITS[: 6 if song else 8]:
            for intensity in DIGITS[:1] if emotion == "01" else DIGITS[:2]:
                for statement, take in product(DIGITS[:2], repeat=2):
                    stem = f"03-{channel}-{emotion}-{intensity}-{statement}-{take}-{actor}"
                    if not (song and actor == "18"):  # who does not sing
                        yield f"Actor_{actor}/{stem}.wav"


def ravdess_song() -> Iterator[str]:
    return ravdess("02")


def crema_d() -> Iterator[str]:
    sentences = ["IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI"]
    names = [
        f"AudioWAV/{actor}_{sentence}_{emotion}_{level}.wav"
        for emotion in ("ANG", "DIS", "FEA", "HAP", "SAD", "NEU")
        for actor in range(1001, 1092)
        for sentence in sentences
        for level in (["LO", "MD", "HI"] if sentence == "IEO" and emotion != "NEU" else ["XX"])
    ]
    # Three takes of each emotion are missing, and five neutral ones.
    missing = {"ANG": 3, "DIS": 3, "FEA": 3, "HAP": 3, "SAD": 3, "NEU": 5}
    for name in names:
        emotion = name.split("_")[2]
        if missing[emotion]:
            missing[emotion] -= 1
        else:
            yield name


def tess() -> Iterator[str]:
    words = ["bite"] + [f"{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(199)]
    emotions = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")
    for speaker, emotion, word in product(("OAF", "YAF"), emotions, words):
        # One file of the real set lacks the F.
        spoken = "OA" if (speaker, emotion, word) == ("OAF", "neutral", "bite") else speaker
        yield f"{speaker}_{emotion}/{spoken}_{word}_{emotion}.wav"


def savee(joint: str = "/") -> Iterator[str]:
    for speaker in ("DC", "JE", "JK", "KL"):
        for emotion in ("a", "d", "f", "h", "n", "sa", "su"):
            for number in DIGITS[: 30 if emotion == "n" else 15]:
                yield f"{speaker}{joint}{emotion}{number}.wav"


def emovo() -> Iterator[str]:
    sentences = ["b1", "b2", "b3", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5", "d1", "d2"]
    emotions = ("dis", "gio", "neu", "pau", "rab", "sor", "tri")
    for speaker, emotion, text in product(
        ("f1", "f2", "f3", "m1", "m2", "m3"), emotions, sentences
    ):
        yield f"{speaker}/{emotion}-{speaker}-{text}.wav"


URDU = {
    "Angry": {"SM1": 22, "SM2": 28, "SM3": 2, "SM4": 48},
    "Happy": {
        "SF1": 12, "SF2": 2, "SF3": 2, "SF4": 4, "SF5": 4, "SF6": 14, "SF7": 6, "SF8": 2,
        "SM17": 2, "SM18": 2, "SM19": 2, "SM3": 2, "SM5": 8, "SM6": 10, "SM7": 28,
    },
    "Neutral": {"SF9": 4, "SM20": 10, "SM21": 4, "SM22": 2, "SM3": 8, "SM5": 72},
    "Sad": {
        "SF10": 2, "SF11": 4, "SM23": 6, "SM24": 38, "SM25": 40, "SM26": 2, "SM27": 4, "SM6": 4,
    },
}  # fmt: skip


def urdu() -> Iterator[str]:
    for emotion, speakers in URDU.items():
        number = 0
        for speaker, count in speakers.items():
            for own in range(1, count + 1):
                number += 1
                yield f"{emotion}/{speaker}_F{own}_{emotion[0]}0{number}.wav"


def subesco() -> Iterator[str]:
    emotions = ("ANGRY", "DISGUST", "FEAR", "HAPPY", "NEUTRAL", "SAD", "SURPRISE")
    named = {"F_01": "OISHI", "F_02": "MONIKA"}
    for gender, number in product("FM", DIGITS[:10]):
        actor = named.get(f"{gender}_{number}", f"NAME{gender}" + chr(64 + int(number)))
        for text, emotion, take in product(range(1, 11), emotions, range(1, 6)):
            stem = f"{gender}_{number}_{actor}_S_{text}_{emotion}_{take}"
            stray = "]" if stem == "F_02_MONIKA_S_2_SURPRISE_3" else ""
            yield f"SUBESCO/{stem}{stray}.wav"


def cafe() -> Iterator[str]:
    folders = {
        "C": "Colère", "D": "Dégoût", "J": "Joie", "N": "Neutre", "P": "Peur", "S": "Surprise",
        "T": "Tristesse",
    }  # fmt: skip
    for emotion, folder in folders.items():
        levels = {"": "1"} if emotion == "N" else {"Faible/": "1", "Fort/": "2"}
        for (level, intensity), actor, text in product(levels.items(), DIGITS[:12], range(1, 7)):
            yield f"CaFE_48k/{folder}/{level}{actor}-{emotion}-{intensity}-{text}.wav"


def mesd() -> Iterator[str]:
    emotions = ("Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness")
    words = ["abajo", "adios", *(f"palabra {chr(97 + n)}" for n in range(22))]
    for emotion, voice, part, word in product(emotions, "CFM", "AB", words):
        # Two of the published 864 are not in the archive.
        if (emotion, voice, part, word) not in {
            ("Anger", "M", "B", "abajo"), ("Neutral", "M", "B", "abajo"),
        }:  # fmt: skip
            yield f"{emotion}_{voice}_{part}_{word}.wav"


def shemo() -> Iterator[str]:
    speakers = [f"F{n}" for n in DIGITS[:31]] + [f"M{n}" for n in DIGITS[:56]]
    for index in range(3000):
        speaker = speakers[index % len(speakers)]
        turn = index // len(speakers)
        emotion = "AFHNSW"[turn % 6]
        folder = "female" if speaker[0] == "F" else "male"
        yield f"{folder}/{speaker}{emotion}{turn // 6 + 1:02}.wav"


AESDD_STRAYS = {
    "anger": ({"a06 (5)b"}, set[str]()),
    "disgust": ({"d01 (5)b", "d03 (5)b", "d04 (5)b", "d03 (01)"}, {"d18 (5)", "d03 (1)"}),
    "fear": (
        {"f18 (5)b", "f10 (01)", "f11 (01)", "f12 (01)", "f13 (01)"},
        {"f02 (4)", "f10 (1)", "f11 (1)", "f12 (1)", "f13 (1)"},
    ),
    "happiness": (set[str](), {"h11 (3)"}),
    "sadness": ({"s01 (5)a", "s01 (5)b", "s02 (5)b", "s04 (5)b"}, {"s01 (5)", "s05 (3)"}),
}
"""By emotion: what is there besides twenty sentences of six speakers, and what is not."""


def aesdd() -> Iterator[str]:
    for folder, (more, less) in AESDD_STRAYS.items():
        grid = {f"{folder[0]}{text} ({speaker})" for text in DIGITS[:20] for speaker in range(1, 7)}
        yield from (f"{folder}/{stem}.wav" for stem in sorted(grid - less | more))


def jl_corpus() -> Iterator[str]:
    speakers = ("female1", "female2", "male1", "male2")
    emotions = (
        "angry", "anxious", "apologetic", "assertive", "concerned", "encouraging", "excited",
        "happy", "neutral", "sad",
    )  # fmt: skip
    for speaker, emotion, text, part, take in product(speakers, emotions, range(1, 16), "ab", "12"):
        yield f"JL(wav+txt)/{speaker}_{emotion}_{text}{part}_{take}.wav"


def esd(first: int = 1, last: int = 20) -> Iterator[str]:
    emotions = ("Neutral", "Angry", "Happy", "Sad", "Surprise")
    for speaker, (place, emotion) in product(range(first, last + 1), enumerate(emotions)):
        for number in range(350 * place + 1, 350 * place + 351):
            yield f"{speaker:04}/{emotion}/{speaker:04}_{number:06}.wav"


def esd_english() -> Iterator[str]:
    return esd(first=11)


def esd_mandarin() -> Iterator[str]:
    return esd(last=10)


EMOV_DB = {
    "bea": {"Amused": 309, "Angry": 317, "Disgusted": 347, "Neutral": 373, "Sleepy": 520},
    "jenie": {"Amused": 222, "Angry": 523, "Disgusted": 189, "Neutral": 417, "Sleepy": 466},
    "josh": {"Amused": 298, "Neutral": 302, "Sleepy": 263},
    "sam": {"Amused": 501, "Angry": 468, "Disgusted": 497, "Neutral": 493, "Sleepy": 495},
}
"""As its page counts; its archives hold some hundred fewer."""


def emov_db() -> Iterator[str]:
    styles = {"Angry": "anger", "Disgusted": "disgust", "Sleepy": "sleepiness"}
    for speaker, emotions in EMOV_DB.items():
        for emotion, count in emotions.items():
            style = styles.get(emotion, emotion.lower())
            for number in range(1, count + 1):
                first = 28 * ((number - 1) // 28) + 1
                stem = f"{style}_{first}-{first + 27}_{number:04}"
                yield f"{speaker}_{emotion}/{stem}.wav"


def enterface05() -> Iterator[str]:
    emotions = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    for subject, emotion, text in product(range(1, 45), emotions, range(1, 6)):
        if subject == 6 or (subject == 23 and emotion == "happiness" and text > 2):
            continue
        named = {3: "s_3", 11: "s12"}.get(subject, f"s{subject}")
        stem = f"{named}_{emotion[:2]}_{text}"
        stem += "avi" if stem == "s16_su_3" else ""
        folder = f"enterface database/subject {subject}/{emotion}/sentence {text}"
        yield f"{folder}/{stem}.wav"


NAMES: dict[str, Callable[[], Iterator[str]]] = {
    "ravdess": ravdess,
    "ravdess-song": ravdess_song,
    "crema-d": crema_d,
    "tess": tess,
    "savee": savee,
    "emovo": emovo,
    "urdu": urdu,
    "subesco": subesco,
    "cafe": cafe,
    "mesd": mesd,
    "shemo": shemo,
    "aesdd": aesdd,
    "jl-corpus": jl_corpus,
    "esd": esd,
    "esd-english": esd_english,
    "esd-mandarin": esd_mandarin,
    "emov-db": emov_db,
    "enterface05": enterface05,
}
"""By dataset."""


@cache
def names_of(dataset: str) -> tuple[str, ...]:
    """All paths of a whole copy, sorted as a listing is."""
    return tuple(sorted(NAMES[dataset]()))
