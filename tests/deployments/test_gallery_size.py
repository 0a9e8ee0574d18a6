"""How large the gallery is, by a real reader, as the gauges are told."""

import asyncio
import shutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from deployments import gallery_size
from deployments.gallery_size import GallerySize
from gallery.reader import Reader
from gallery.records import Collection, EmbeddingKind, Statistics
from tests.fakes import LocalGallery
from tests.gallery.made import face, table_folder

UNIT = np.array([1, 0], np.float32)
ARCFACE, FACENET = EmbeddingKind("arcface", "mobilefacenet", "c1", 2), EmbeddingKind("facenet", "facenet", "c2", 2)


class Told:
    """A gauge that keeps what it was told last, by its name."""

    values: dict[str, dict[str, float]]

    def __init__(self, name: str, description: str, labels: tuple[str, ...] = ()) -> None:
        self._name = name.removeprefix("facegraph_gallery_")

    def set(self, value: float, labels: Mapping[str, str] = MappingProxyType({})) -> None:
        Told.values.setdefault(labels.get("model", "all"), {})[self._name] = value


class Counting(Reader):
    """A reader that counts its looks at every face."""

    looks = 0

    async def statistics(self, collection: Collection) -> Statistics:
        self.looks += 1
        return await super().statistics(collection)


def test_collections_are_told_of_by_their_network_and_only_changed_ones_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Told.values = {}
    monkeypatch.setattr(gallery_size, "Gauge", Told)
    gallery: Any = LocalGallery()

    async def run() -> None:
        reader = Counting(gallery.place, 0)
        size = GallerySize(reader)
        for name, kind in [("staff", ARCFACE), ("guests", ARCFACE), ("old", FACENET)]:
            await gallery.create(name, kind, None)
        await gallery.enrol("staff", "c1", [face("ada", UNIT), face("ada", UNIT, "another"), face("bob", UNIT)])
        await gallery.enrol("guests", "c1", [face("ada", UNIT)])
        await size.measure()
        assert Told.values == {
            "mobilefacenet": {"collections": 2, "faces": 4, "subjects": 3},
            "facenet": {"collections": 1, "faces": 0, "subjects": 0},
            "all": {"unreadable_collections": 0},
        }
        assert reader.looks == 3
        await gallery.drop("old")
        await gallery.delete_subjects("staff", ["ada"])
        await size.measure()
        assert reader.looks == 4
        assert Told.values["mobilefacenet"] == {"collections": 2, "faces": 2, "subjects": 2}
        assert Told.values["facenet"] == {"collections": 0, "faces": 0, "subjects": 0}
        # One that is damaged is counted apart, and keeps nobody from counting the others.
        shutil.rmtree(table_folder(gallery.place, (await reader.collection("guests")).table))
        await size.measure()
        assert Told.values["mobilefacenet"] == {"collections": 1, "faces": 1, "subjects": 1}
        assert Told.values["all"] == {"unreadable_collections": 1}

    asyncio.run(run())
