"""One figure, described as data and a kind: drawn by matplotlib for files, as SVG for pages."""
