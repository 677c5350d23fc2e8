"""Charts as inline SVG that follows the page: its width, its colours, light or dark.

Positions across are per cent of the width and positions down are pixels, so that a chart is as
wide as its place while its letters keep their size. Colours and strokes come from the page's
stylesheet. Series differ by colour, mark and dash at once.
"""
