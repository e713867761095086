"""From picture files and pixel arrays to what a model's input takes: uint8 [C, H, W].

PNG, JPEG and WebP. Format and size are read from the header first, so that a decompression bomb is refused before
anything of it is decoded. Orientation from EXIF is applied; palettes and CMYK become RGB, 16 bits become the upper 8;
what is transparent shows the model's background (the lower end of the input's value range). An animation is refused:
which of its frames is meant is the caller's to say.

What happens to a picture of another size than the model's is the manifest's `input_fit`:

- `reject`: the request fails.
- `resize`: each axis is scaled to the model's size (bicubic, antialiased); nothing is cut off, the aspect ratio is not
  kept.
- `pad`: the picture is centred on the background (half a pixel up and left where it cannot be); a larger one fails.
"""

from equiserve.pictures.fit import InputFit, Picture, background_of
from equiserve.pictures.header import PictureHeader, probe
from equiserve.pictures.read import decode_picture, picture_from_array, quick_to_read, read_pictures

__all__ = [
    "InputFit",
    "Picture",
    "PictureHeader",
    "background_of",
    "decode_picture",
    "picture_from_array",
    "probe",
    "quick_to_read",
    "read_pictures",
]
