"""MNIST, Fashion-MNIST, and any folder with four IDX files of those names.

Both datasets have 60,000 training and 10,000 test images; the last 5,000 training images are used for validation, so
that no choice is ever made by the test images.

Sources: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits" (1998); H. Xiao, K. Rasul,
R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms" (2017).

Shapes: images (N, 28, 28) uint8, labels (N,) int64.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from genreg_np.data.cache import Source, download_folder, fetch, find, locate, search_folders
from genreg_np.data.dataset import Dataset, Split
from genreg_np.data.download import Progress
from genreg_np.data.idx import PathLike, read_idx_pair
from genreg_np.data.labels import class_order, encode_labels
from genreg_np.data.shared import with_shared_noted
from genreg_np.data.splits import complete_splits
from genreg_np.errors import DataError

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

MNIST = Source(
    name="mnist",
    description="70,000 handwritten digits, 28x28",
    class_names=tuple("0123456789"),
    files=dict(
        zip(
            FILES,
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            strict=True,
        )
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    folders=("MNIST/raw",),
)

# Debian's package holds the official compressed streams under another gzip header: with the original header restored,
# its files have the four MD5 sums that the authors publish. These are hashes of the decompressed data.
FASHION_MNIST = Source(
    name="fashion-mnist",
    description="70,000 pictures of clothes, 28x28",
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    files=dict(
        zip(
            FILES,
            (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            strict=True,
        )
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    folders=("FashionMNIST/raw",),
)

SOURCES = {source.name: source for source in (MNIST, FASHION_MNIST)}


def load_source(
    source: Source,
    data_dir: PathLike | None = None,
    download: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """Load a dataset from this machine, downloading it first if it is not there.

    Parameters
    ----------
    source : Source
        Which dataset.
    data_dir : path-like, optional
        Where to look first and where to download to.
    download : bool
        If False, a dataset that is not on this machine is an error.
    progress : callable, optional
        Called with (file name, bytes so far, total bytes or 0) during a download.

    Returns
    -------
    Dataset
        Images uint8; the last `source.held_out` training images are the validation split.

    Raises
    ------
    DataError
        For a dataset that is neither on this machine nor can be fetched, or a file that is damaged or from another
        dataset.
    MissingExtraError
        If it has to be downloaded and pooch is missing.
    """
    folder = find(source, data_dir, tuple(SOURCES.values()))
    if folder is None and not download:
        places = ", ".join(map(str, search_folders(data_dir)))
        raise DataError(f"{source.name} is not in {places}; `genreg-np data fetch {source.name}` downloads it")
    if folder is None:
        folder = fetch(source, download_folder(source.name, data_dir), progress)
    train, test = _read_pairs(folder, source.files)
    kept = len(train) - source.held_out
    return Dataset(
        source.name,
        Split(train.inputs[:kept], train.labels[:kept]),
        Split(train.inputs[kept:], train.labels[kept:]),
        test,
        source.class_names,
    )


def _read_pairs(folder: Path, files: Mapping[str, str | None]) -> tuple[Split, Split]:
    """Read the training and test splits of a folder, checked against the hashes, if any."""
    found = [(locate(folder, file) or folder / file, sha256) for file, sha256 in files.items()]
    pairs = []
    for (images, images_hash), (labels, labels_hash) in (found[:2], found[2:]):
        pairs.append(Split(*read_idx_pair(images, labels, sha256=(images_hash, labels_hash))))
    return pairs[0], pairs[1]


def is_idx_folder(folder: Path) -> bool:
    """Return whether a folder holds four IDX files with MNIST's names."""
    return all(locate(folder, file) for file in FILES)


def load_idx_folder(folder: Path) -> Dataset:
    """Load the user's own four IDX files, such as those of KMNIST.

    Parameters
    ----------
    folder : Path
        With train-images-idx3-ubyte, train-labels-idx1-ubyte and the two of t10k-, gzipped or not.

    Returns
    -------
    Dataset
        Classes are the label values; 15 % of each class of the training images are held out for validation.

    Raises
    ------
    DataError
        As `read_idx_pair` and `Dataset`.
    """
    train, test = _read_pairs(folder, dict.fromkeys(FILES))
    train_names, test_names = (list(map(str, split.labels.tolist())) for split in (train, test))
    class_names = class_order({*train_names, *test_names})
    train = Split(train.inputs, encode_labels(train_names, class_names))
    test = Split(test.inputs, encode_labels(test_names, class_names))
    input_range = (0.0, 255.0) if train.inputs.dtype.name == "uint8" else None
    dataset = complete_splits(train, None, test, class_names, name=folder.name, input_range=input_range)
    return with_shared_noted(dataset)
