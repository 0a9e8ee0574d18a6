"""Settings of the gallery: where it is stored, how it is indexed and cleaned, and its share of the machine."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from project.environment import EnvironmentSettings
from project.root import ROOT


class GalleryArgs(EnvironmentSettings):
    """Where the gallery lies and how it is kept; each variable begins with ``GALLERY_``."""

    # An empty address would be the project's own folder.
    model_config = SettingsConfigDict(env_prefix="GALLERY_", env_ignore_empty=True)

    uri: str = Field(
        "data/gallery",
        description="A folder on the head node, below the project unless absolute, or an object store's address, "
        "e.g. s3://bucket/gallery.",
    )
    storage_options: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="Of the object store, as LanceDB has them; better in its own variables, for Ray's dashboard "
        "shows a configuration to whoever reaches it.",
    )
    exact_mb: int = Field(
        256,
        ge=0,
        description="MiB of embeddings that a reader keeps for exact search; larger ones use an index.",
    )
    index_rows: int = Field(120_000, gt=0, description="Faces of a collection from which on it gets a vector index.")
    optimise_s: float = Field(20, gt=0, description="Seconds between two mergers of small files.")
    clean_s: float = Field(3600, gt=0, description="Seconds between two clean-ups, which erase what was deleted.")
    writer_cpus: float = Field(0.1, gt=0, description="CPUs the writer owns.")
    reader_cpus: float = Field(0.1, gt=0, description="CPUs a reader owns.")
    reader_threads: int = Field(2, ge=1, description="Threads of an exact search, which lasts some milliseconds.")

    @field_validator("uri")
    @classmethod
    def _below_the_project(cls, uri: str) -> str:
        if not uri.strip() or "\0" in uri:
            raise ValueError("an empty address, or one with a zero byte")
        if "://" in uri and urlsplit(uri).password is not None:
            # LanceDB's errors quote the address, and the log has them.
            raise ValueError("an address with a password: credentials belong into the object store's own variables")
        return uri if "://" in uri else str(ROOT / uri)
