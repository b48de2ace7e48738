"""Data: arrays in, minibatches out.

A data set is anything with a length whose items are pairs (x, target); `ArrayDataset` holds one in two
arrays. `Splits` holds its training, validation and test parts. The published data sets are functions that
return `Splits`: `digits`, which needs no download, `mnist`, `cifar10`, `cifar100` and `signs`. `csv`,
`image_folder` and `arrays` read your own data, detect the type of each column, and report what they found.
"""

from npnet.data.arrays import arrays
from npnet.data.cifar import cifar10, cifar100
from npnet.data.convert import as_dataset
from npnet.data.csv import csv
from npnet.data.dataset import ArrayDataset, Dataset
from npnet.data.digits import digits
from npnet.data.files import data_folder
from npnet.data.gmm import sample_gauss_2d, sample_gmm_2d
from npnet.data.image_folder import image_folder
from npnet.data.image_format import ImageFormat
from npnet.data.minibatches import count_minibatches, minibatches
from npnet.data.mnist import mnist
from npnet.data.published import present
from npnet.data.report import Report
from npnet.data.row_format import Column, RowFormat
from npnet.data.signs import signs
from npnet.data.split import hold_out, split
from npnet.data.splits import Splits
from npnet.data.standardize import Standardization, standardize

__all__ = [
    "ArrayDataset",
    "Column",
    "Dataset",
    "ImageFormat",
    "Report",
    "RowFormat",
    "Splits",
    "Standardization",
    "arrays",
    "as_dataset",
    "cifar10",
    "cifar100",
    "count_minibatches",
    "csv",
    "data_folder",
    "digits",
    "hold_out",
    "image_folder",
    "minibatches",
    "mnist",
    "present",
    "sample_gauss_2d",
    "sample_gmm_2d",
    "signs",
    "split",
    "standardize",
]
