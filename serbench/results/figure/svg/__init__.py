"""Figures as inline SVG that follows the page: its width, its colours, light or dark."""
