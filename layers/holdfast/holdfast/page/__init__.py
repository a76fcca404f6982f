"""The page that people look at: one HTML file that needs nothing from outside."""
