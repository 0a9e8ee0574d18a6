"""The size of a gallery by model."""

import shutil

from gallery.location import Location
from gallery.reading.reader import Reader
from gallery.reading.size import Size, SizeCounter
from gallery.records import EmbeddingKind
from tests.gallery.sample_gallery import KIND, SIZE, enrol, face, table_folder, writing


async def test_sizes_are_summed_by_model(location: Location) -> None:
    async with writing(location, collection=None) as writer:
        for name, kind in [("guests", KIND), ("old", EmbeddingKind("facenet", "facenet", "c2", SIZE)), ("staff", KIND)]:
            await writer.create(name, kind, None)
        await enrol(writer, face("ada"), face("ada", source="another"), face("bob"), name="staff")
        await enrol(writer, face("ada"), name="guests")
        reader = Reader(location, 0)
        counter = SizeCounter(reader)
        assert await counter.measure() == {KIND.model: Size(2, 4, 3), "facenet": Size(1, 0, 0)}
        await writer.drop("old")
        await writer.delete_subjects("staff", ["ada"])
        assert await counter.measure() == {KIND.model: Size(2, 2, 2), "facenet": Size(0, 0, 0)}
        shutil.rmtree(table_folder(location, (await reader.collection("guests")).table))
        assert await counter.measure() == {KIND.model: Size(1, 1, 1), "facenet": Size(0, 0, 0)}
