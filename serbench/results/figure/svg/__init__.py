"""Figures as inline SVG that adapts to the page: its width, its colours, light or dark."""
