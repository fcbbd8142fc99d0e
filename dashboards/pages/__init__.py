"""The pages: each module draws one, with `render()`."""
