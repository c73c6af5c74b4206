"""The colours, in one place: champion slate, challenger blue; better teal, worse vermilion (after Okabe and Ito).

Colour never speaks alone: a sign, a word or a shape says the same. Text in any of these stands at 4.5 : 1 or more on
its theme's ``surface`` and ``raised``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """One theme: each role as ``#rrggbb``. Within a theme no two roles are alike, so that a colour names its role."""

    ink: str
    muted: str
    rule: str
    surface: str
    raised: str
    champion: str
    challenger: str
    better: str
    worse: str

    def as_css(self) -> str:
        """Spell the theme as CSS custom properties.

        Example:
            >>> LIGHT.as_css().split("; ")[0]
            '--ink: #18212b'
        """
        return "; ".join(f"--{role}: {colour}" for role, colour in asdict(self).items())

    def roles(self) -> dict[str, str]:
        """Each colour with the role it plays."""
        return {colour: role for role, colour in asdict(self).items()}


LIGHT = Palette(
    ink="#18212b",
    muted="#566270",
    rule="#d5dbe1",
    surface="#ffffff",
    raised="#f5f7f9",
    champion="#5d6b7c",
    challenger="#0072b2",
    better="#00795a",
    worse="#b94a00",
)
DARK = Palette(
    ink="#e8edf2",
    muted="#a3afbb",
    rule="#37424d",
    surface="#12181f",
    raised="#1a222b",
    champion="#a9b6c4",
    challenger="#62b5f5",
    better="#35c79d",
    worse="#ff9066",
)

# Where the background is not ours (a terminal, a notebook): tones that read on black and on white alike.
CHAMPION, CHALLENGER, BETTER, WORSE = "#738091", "#3a8bd8", "#0f9478", "#dc5f2e"
