"""npnet ↔ PyTorch: the same network in the other engine, with copies of weights, buffers and frozen flags.

A layer becomes the module of the same name, and the other way round. A module with a forward method of its
own, such as torchvision's ResNet, is converted by following its input through that method (`torch.fx`):
what is applied one after another becomes a `Sequential`, a sum of two branches a `Residual`. What cannot be
converted without changing its meaning is refused by name.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from npnet import check
from npnet import nn as npn
from npnet.check import FLOATS
from npnet.errors import DTypeError, InputError
from npnet.nn import Layer
from ptref._fx_tracing import SEPARATOR, Converted, Forward, join, named, raise_together, refusal

# A layer with a namesake in torch.nn is converted by the arguments that its `setting_names` list: they have
# the same names in both. Containers are converted child by child.
TWINS: Mapping[type[Layer], type[nn.Module]] = {
    layer: getattr(nn, name)
    for name in npn.__all__
    if isinstance(layer := getattr(npn, name), type)
    and issubclass(layer, Layer)
    and hasattr(nn, name)
    and layer is not npn.Sequential
}
LAYERS: Mapping[type[nn.Module], type[Layer]] = {module: layer for layer, module in TWINS.items()}
# What is required of a module's options that layers lack.
REQUIRED: Mapping[str, object] = {"padding_mode": "zeros", "return_indices": False}
UNREGISTERED = (
    "npnet knows no module that computes the same; write one, and ptref.convert.register tells of it"
)
MODAL = (nn.Dropout, nn.BatchNorm1d, nn.BatchNorm2d)  # they behave differently in training
PASSING = (nn.Identity, nn.Flatten, nn.Dropout)  # their output may lie in the memory of their input


@dataclass(frozen=True)
class _Pair:
    """A layer and a module of someone's own that compute the same."""

    layer: type[Layer]
    module: type[nn.Module]
    to_torch: Callable[..., Any]
    from_torch: Callable[..., Any]


PAIRS: list[_Pair] = []  # the last one registered counts


def register(
    layer: type[Layer],
    module: type[nn.Module],
    *,
    to_torch: Callable[[Any], nn.Module],
    from_torch: Callable[[Any], Layer],
) -> None:
    """Tell which module computes what a layer of your own computes, so that models with it convert.

    Parameters and buffers have the same names and shapes in both. They are copied, and so are dtype and
    frozen flags: the two functions need not care for more than the settings.

    Parameters
    ----------
    layer : subclass of Layer
    module : subclass of torch.nn.Module
    to_torch : callable
        ``to_torch(layer)`` returns a module with the layer's settings.
    from_torch : callable
        ``from_torch(module)`` returns a layer with the module's settings.

    Raises
    ------
    InputError
        If one of them is not what it must be, or npnet converts the layer or the module already.

    Examples
    --------
    >>> class PReLU(Layer):
    ...     parameter_names = ("weight",)
    ...
    ...     def __init__(self, channels):
    ...         super().__init__()
    ...         self.weight = np.full(channels, 0.25, np.float32)
    ...
    ...     def apply(self, x, *, training, generator):
    ...         def backward(grad_y, needs):
    ...             left = np.where(x < 0, grad_y, 0)
    ...             return np.where(x < 0, self.weight * grad_y, grad_y), (left * x).sum(axis=0)
    ...
    ...         return np.where(x < 0, self.weight * x, x), backward
    >>> register(
    ...     PReLU,
    ...     nn.PReLU,
    ...     to_torch=lambda layer: nn.PReLU(len(layer.weight)),
    ...     from_torch=lambda module: PReLU(module.num_parameters),
    ... )
    >>> to_torch(npn.Sequential(npn.Flatten(), PReLU(3)))
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): PReLU(num_parameters=3)
    )
    >>> from_torch(nn.Sequential(nn.PReLU(3))).parameters["0.weight"]
    array([0.25, 0.25, 0.25], dtype=float32)
    """
    _check_class("layer", layer, Layer, "a subclass of npnet.nn.Layer")
    _check_class("module", module, nn.Module, "a subclass of torch.nn.Module")
    check.function("register", "to_torch", to_torch)
    check.function("register", "from_torch", from_torch)
    if layer in TWINS or layer in {Layer, npn.Sequential, npn.Residual}:
        raise InputError(f"register: layer must be one of your own, got {layer.__name__} of npnet")
    if module in LAYERS or module in {nn.Module, nn.Sequential, Residual}:
        raise InputError(f"register: module must not be converted already, got {module.__name__}")
    PAIRS.append(_Pair(layer, module, to_torch, from_torch))


def _check_class(name: str, value: object, kind: type, expected: str) -> None:
    if not isinstance(value, type) or not issubclass(value, kind):
        raise InputError(f"register: {name} must be {expected}, got {check.described(value)}")


def _pair_of(thing: Layer | nn.Module) -> _Pair | None:
    """Return the last pair registered for a layer's or a module's class."""
    return next((pair for pair in reversed(PAIRS) if type(thing) in (pair.layer, pair.module)), None)


class Residual(nn.Module):
    """A body with a shortcut around it, y = body(x) + shortcut(x): npnet's `Residual` on autograd.

    Parameters
    ----------
    body : Module
    shortcut : Module, optional
        Without it x is added as it is.

    Raises
    ------
    InputError
        If one of them is no module.

    Examples
    --------
    >>> Residual(nn.ReLU())(torch.tensor([-1.0, 2.0]))
    tensor([-1.,  4.])
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        check.instance("Residual", "body", body, nn.Module, "a torch.nn.Module")
        if shortcut is not None:
            check.instance("Residual", "shortcut", shortcut, nn.Module, "a torch.nn.Module or None")
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Add what the branches give."""
        y: Tensor = self.body(x) + (x if self.shortcut is None else self.shortcut(x))
        return y


# ---- npnet → PyTorch -----------------------------------------------------------------------------------


def to_torch(model: Layer) -> nn.Module:
    """Return the PyTorch module that computes what an npnet model computes.

    Parameters
    ----------
    model : Layer
        Any layer of `npnet.nn`, or any model made of them.

    Returns
    -------
    module : Module
        On the CPU, in training mode, of the model's dtype. Its ``state_dict`` has the names and copies of
        the values of ``model.state_dict()``; what is frozen has ``requires_grad=False``.

    Raises
    ------
    InputError
        If model is no layer, or a layer in it is neither one of npnet's nor registered (see `register`), or
        is used in several places; the message names it.
    DTypeError
        If parameters and buffers are of several dtypes.

    Examples
    --------
    >>> model = npn.Sequential(npn.Linear(3, 2, generator=np.random.default_rng(0)), npn.ReLU())
    >>> module = to_torch(model)
    >>> list(module.state_dict())
    ['0.weight', '0.bias']
    >>> x = np.ones((1, 3), np.float32)
    >>> bool(np.allclose(module(torch.from_numpy(x)).detach().numpy(), model(x)))
    True
    """
    if not isinstance(model, Layer):
        raise InputError(f"to_torch: model must be a layer of npnet.nn, got {check.described(model)}")
    obstacles: list[InputError] = []
    for place, layer in model.named_layers():
        if not layer.children and type(layer) not in TWINS and _pair_of(layer) is None:
            if type(layer) in {npn.Sequential, npn.Residual}:
                continue  # an empty one
            obstacles.append(InputError(f"to_torch: {named('layer', place, layer)}: {UNREGISTERED}"))
    if obstacles:
        lines = [str(error).removeprefix("to_torch: ") for error in obstacles]
        raise InputError(f"to_torch: {SEPARATOR.join(lines)}")
    _check_layers(model)
    return _module(model, "")


def _module(layer: Layer, place: str) -> nn.Module:
    if type(layer) is npn.Sequential:
        return _sequential(layer, place)
    if type(layer) is npn.Residual:
        shortcut = layer.shortcut
        return Residual(
            _module(layer.body, join(place, "body")),
            None if shortcut is None else _module(shortcut, join(place, "shortcut")),
        )
    if (pair := _pair_of(layer)) is not None:
        return _registered_module(layer, place, pair)
    if type(layer) not in TWINS:
        raise InputError(f"to_torch: {named('layer', place, layer)}: {UNREGISTERED}")
    return _plain_module(layer)


def _registered_module(layer: Layer, place: str, pair: _Pair) -> nn.Module:
    owner = f"to_torch: {named('layer', place, layer)}"
    made = pair.to_torch(layer)
    module = check.instance(owner, "what to_torch returns", made, nn.Module, "a torch.nn.Module")
    tensors = {name: torch.from_numpy(array) for name, array in layer.state_dict().items()}
    theirs = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    ours = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if ours != theirs:
        raise InputError(f"{owner}: parameters and buffers must be the same in both, got {ours} and {theirs}")
    for tensor in tensors.values():
        if tensor.is_floating_point():
            module.to(tensor.dtype)
    module.load_state_dict(tensors)
    for name in layer.frozen_parameters:
        module.get_parameter(name).requires_grad = False
    return module


def _sequential(layer: npn.Sequential, place: str) -> nn.Module:
    modules = OrderedDict((name, _module(child, join(place, name))) for name, child in layer.children.items())
    try:
        return nn.Sequential(modules)
    except KeyError as error:  # PyTorch keeps children as attributes, and has attributes of its own
        raise InputError(
            f"to_torch: {named('layer', place, layer)}: PyTorch refuses a name: {error.args[0]}"
        ) from None


def _plain_module(layer: Layer) -> nn.Module:
    """Return a layer's twin; a parameter's name among the settings says whether there is one."""
    kind, state = TWINS[type(layer)], layer.state_dict()
    settings = {name: getattr(layer, name) for name in layer.setting_names}
    if not state:
        return kind(**settings)
    has_bias = settings.pop("bias", None) is not None
    if kind in {nn.Linear, nn.Conv2d}:
        settings["bias"] = has_bias
    tensors = {name: torch.tensor(array) for name, array in state.items()}
    # A module on "meta" has shapes alone, so it draws no random numbers. (torch.nn.utils.skip_init would do
    # the same, but loads PyTorch's symbolic shapes and SymPy: half a second.)
    module = kind(**settings, device="meta", dtype=next(iter(tensors.values())).dtype)
    if not has_bias and module.bias is not None:
        module.register_parameter("bias", None)
    module.load_state_dict(tensors, assign=True)
    for name in layer.frozen & tensors.keys():
        module.get_parameter(name).requires_grad = False
    return module


def _check_layers(model: Layer) -> None:
    owners: dict[int, str] = {}
    first: tuple[str, np.dtype[Any]] | None = None
    for place, layer in model.named_layers():
        for name in (*layer.parameter_names, *layer.buffer_names):
            array = getattr(layer, name)
            if array is None:
                continue
            full = join(place, name)
            if id(array) in owners:
                raise InputError(
                    f"to_torch: {named('layer', place, layer)}: {name} must be used in one place, "
                    f"got one array as {owners[id(array)]} and {full}"
                )
            owners[id(array)] = full
            if array.dtype.kind != "f":
                continue
            first = first or (full, array.dtype)
            if array.dtype != first[1]:
                raise DTypeError(
                    f"to_torch: {named('layer', place, layer)}: {name} must have the dtype of {first[0]}, "
                    f"{first[1]}, got {array.dtype}"
                )


# ---- PyTorch → npnet -----------------------------------------------------------------------------------


def from_torch(module: nn.Module) -> Layer:
    """Return the npnet layer or model that computes what a PyTorch module computes.

    Parameters
    ----------
    module : Module
        A module that has a namesake in `npnet.nn`, or any module whose forward method, followed from its
        one input to its one output, is made of such modules, of modules you registered (see `register`), of
        the functions that are layers in `npnet.nn`, of what makes a row of each sample, such as
        ``x.view(x.size(0), -1)``, and of sums of two branches. torchvision's AlexNet, VGG and ResNet are such
        modules.

    Returns
    -------
    layer : Layer
        With copies of all parameters and buffers, in their dtype; ``requires_grad=False`` becomes frozen.
        Whether it trains or evaluates is not part of it: `Layer.forward` is told each time. Names
        are those of the module as long as it is a sequence; `parameter_map` has the correspondence.

    Raises
    ------
    InputError
        If something in the module has no counterpart, or would change its meaning: an unsupported module,
        function or option, hooks, parametrizations, weights used twice or not at all, parts on several
        devices, some parts in training and others in evaluation mode, an in-place operation on what is
        needed elsewhere. The message names the module and the option, of everything that stands in the way
        at once.
    DTypeError
        If parameters and buffers are not all float32 or all float64.

    Examples
    --------
    >>> import torch.nn.functional as F
    >>> class Block(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.fc = nn.Linear(3, 3)
    ...
    ...     def forward(self, x):
    ...         return F.relu(x + self.fc(x))
    >>> from_torch(Block())
    Sequential(
      (add): Residual(
        (body): Linear(3, 3)
      )
      (relu): ReLU()
    )
    """
    return _convert(module).layer


def parameter_map(module: nn.Module) -> dict[str, str]:
    """Return what parameters and buffers of a module are called in the layer `from_torch` makes of it.

    Parameters
    ----------
    module : Module

    Returns
    -------
    names : dict from str to str
        From the keys of ``module.state_dict()`` to those of ``from_torch(module).state_dict()``, in the
        order of the former.

    Raises
    ------
    InputError
        As `from_torch`.

    Examples
    --------
    >>> import torchvision
    >>> names = parameter_map(torchvision.models.resnet18())
    >>> names["conv1.weight"]
    'conv1.weight'
    >>> names["layer2.0.downsample.0.weight"]
    'layer2.0.add.shortcut.0.weight'
    """
    converted = _convert(module)
    names = {id(layer): name for name, layer in converted.layer.named_layers()}
    found = {
        join(place, key): join(names[id(layer)], key)
        for place, layer in converted.owners.items()
        for key in layer.state_dict()
    }
    return {key: found[key] for key in module.state_dict()}


def _convert(module: nn.Module) -> Converted:
    given: Any = module
    if not isinstance(given, nn.Module):
        names = isinstance(given, Mapping)
        hint = (
            "; a state_dict holds numbers alone: load it into its module, and convert that" if names else ""
        )
        raise InputError(f"from_torch: module must be a torch.nn.Module, got {check.described(given)}{hint}")
    obstacles = _obstacles(module)
    try:
        converted = _converted(module, "")
    except InputError as error:
        obstacles.append(error)
    except NotImplementedError:  # of tensors without data, which are an obstacle already
        if not obstacles:
            raise
    raise_together(obstacles)
    for place, part in module.named_modules():
        unused = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
        if unused and not any(place == owner or place.startswith(f"{owner}.") for owner in converted.owners):
            obstacles.append(refusal(place, part, "must be applied in forward, where it is not used"))
    raise_together(obstacles)
    return converted


def _converted(module: nn.Module, place: str) -> Converted:
    if (pair := _pair_of(module)) is not None:
        return _registered_layer(module, place, pair)
    if type(module) in LAYERS:
        return _plain_layer(module, place)
    if type(module) is Residual:
        return _residual(module, place)
    if type(module).__module__.startswith("torch.nn.") and type(module) is not nn.Sequential:
        raise refusal(place, module, "there is no such layer in npnet; see ptref.convert.register")
    return Forward(module, place, _converted).converted()


def _registered_layer(module: nn.Module, place: str, pair: _Pair) -> Converted:
    owner = f"from_torch: {named('module', place, module)}"
    made = pair.from_torch(module)
    layer = check.instance(owner, "what from_torch returns", made, Layer, "a layer of npnet.nn")
    try:
        _take_state(layer, module)
    except InputError as error:
        raise error.inside(owner) from None
    return Converted(layer, {place: layer} if layer.state_dict() else {}, passes=True)


def _take_state(layer: Layer, module: nn.Module) -> None:
    """Copy parameters and buffers by name, with their dtype and what is frozen."""
    state = {name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()}
    for array in state.values():
        if array.dtype in FLOATS:
            layer.astype(array.dtype)
    layer.load_state_dict(state)  # copies
    for name in layer.parameters:
        if not module.get_parameter(name).requires_grad:
            layer.freeze(name)


def _plain_layer(module: nn.Module, place: str) -> Converted:
    """Return a module's twin."""
    try:
        layer = _twin(module)
    except InputError as error:
        raise error.inside(f"from_torch: {named('module', place, module)}") from None
    owners = {place: layer} if layer.state_dict() else {}
    in_place = bool(getattr(module, "inplace", False))
    return Converted(layer, owners, writes=in_place, passes=in_place or isinstance(module, PASSING))


def _twin(module: nn.Module) -> Layer:
    for option, value in REQUIRED.items():
        if getattr(module, option, value) != value:
            raise InputError(f"{option} must be {value!r}, got {getattr(module, option)!r}")
    kind = LAYERS[type(module)]
    settings = {name: _simple(getattr(module, name)) for name in kind.setting_names}
    if "bias" in settings:
        settings["bias"] = module.bias is not None
    if "kernel_size" in settings and kind is not npn.Conv2d and settings["stride"] == settings["kernel_size"]:
        settings["stride"] = None  # a pooling window's default
    if settings.get("dim", 0) is None:
        raise InputError("dim must be an integer, got None")
    if kind in {npn.Linear, npn.Conv2d}:
        settings["generator"] = np.random.default_rng(0)
    layer = kind(**settings)
    _take_state(layer, module)
    return layer


def _simple(value: object) -> object:
    """Return a pair of equal sizes as one."""
    return value[0] if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1] else value


def _residual(module: Residual, place: str) -> Converted:
    body = _converted(module.body, join(place, "body"))
    shortcut = None
    if module.shortcut is not None:
        shortcut = _converted(module.shortcut, join(place, "shortcut"))
    if body.writes or (shortcut is not None and shortcut.writes):
        raise refusal(place, module, "inplace=True must not overwrite the input of two branches")
    owners = body.owners | (shortcut.owners if shortcut is not None else {})
    return Converted(npn.Residual(body.layer, shortcut.layer if shortcut is not None else None), owners)


# ---- checks of a whole module --------------------------------------------------------------------------


def _obstacles(module: nn.Module) -> list[InputError]:
    """Return what stands in the way apart from what forward does."""
    found: list[InputError] = []
    for place, part in module.named_modules():
        if parametrize.is_parametrized(part):
            found.append(refusal(place, part, "parametrizations must be removed first"))
        if "forward" in vars(part):
            found.append(refusal(place, part, "forward must be its class's, got one of its own"))
        found += _hooks(place, part)
    for require in (_check_tensors, _check_mode):
        try:
            require(module)
        except InputError as error:
            found.append(error)
    return found


def _hooks(place: str, module: nn.Module) -> Iterator[InputError]:
    owners: list[tuple[str, nn.Module | Tensor]] = [("", module), *module.named_parameters(recurse=False)]
    for name, owner in owners:
        for attribute in _hook_names(owner):
            if getattr(owner, attribute, None):
                what = join(name, attribute.lstrip("_"))
                yield refusal(place, module, f"hooks must be removed first, got {what}")


def _hook_names(owner: nn.Module | Tensor) -> Iterator[str]:
    if isinstance(owner, Tensor):
        yield from ("_backward_hooks", "_post_accumulate_grad_hooks")
    else:
        yield from (name for name in vars(owner) if name.endswith("_hooks"))


def _check_tensors(module: nn.Module) -> None:
    """Require one device and one dtype, and each parameter and buffer in one place alone."""
    tensors = list(_tensors(module))
    names: dict[int, str] = {}
    for place, part, name, tensor in tensors:
        full = join(place, name)
        if id(tensor) in names:
            message = f"{name} must stand in one place, got one tensor as {names[id(tensor)]} and {full}"
            raise refusal(place, part, message)
        names[id(tensor)] = full
        device = tensors[0][3].device
        if tensor.device != device or device.type == "meta":
            where = "memory" if device.type == "meta" else f"{device} like {next(iter(names.values()))}"
            raise refusal(place, part, f"{name} must be in {where}, got it on {tensor.device}")
    _check_dtypes([entry for entry in tensors if entry[3].is_floating_point() or entry[3].is_complex()])


def _check_dtypes(tensors: list[tuple[str, nn.Module, str, Tensor]]) -> None:
    for place, part, name, tensor in tensors:
        if tensor.dtype not in {torch.float32, torch.float64}:
            message = f"{name} must be float32 or float64, got {tensor.dtype}"
            raise refusal(place, part, message, DTypeError)
        first_place, _, first_name, first = tensors[0]
        if tensor.dtype != first.dtype:
            like = f"{first.dtype} like {join(first_place, first_name)}"
            raise refusal(place, part, f"{name} must be {like}, got {tensor.dtype}", DTypeError)


def _tensors(module: nn.Module) -> Iterator[tuple[str, nn.Module, str, Tensor]]:
    """Yield all parameters and buffers: the place and the module they are in, their name, and themselves."""
    for place, part in module.named_modules(remove_duplicate=False):
        own = part.named_parameters(recurse=False, remove_duplicate=False)
        for name, tensor in chain(own, part.named_buffers(recurse=False, remove_duplicate=False)):
            yield place, part, name, tensor


def _check_mode(module: nn.Module) -> None:
    modal = [(place, part) for place, part in module.named_modules() if isinstance(part, MODAL)]
    for place, part in modal:
        if part.training != modal[0][1].training:
            message = f"training must be {modal[0][1].training} as in '{modal[0][0]}', got {part.training}"
            raise refusal(place, part, message)
