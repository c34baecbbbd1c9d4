"""The model, tried on two examples before a run: what user code returns is checked once.

Messages name the class, the method or layer, what was given and what is needed; torch's own words
are in the traceback alone.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from fedbench.config.kinds import is_user_class
from fedbench.config.usercode import attributed, explained, what
from fedbench.data.values import Features
from fedbench.engine.losses import is_separable, is_standard
from fedbench.engine.returned import apart
from fedbench.models import Model, borrowed, call

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fedbench.engine.context import TrainingContext

FEW, MORE = 2, 32  # examples that a module of ours and one of the user's are tried on
ALONE = 4  # of which so many are tried one by one


def check_module(context: TrainingContext) -> None:
    """Raise ValueError if the model has a layer that no federation can train, naming it."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    name, module = f"model: {_name(context)}", train_mode(context.model.template(context.data.card))
    trained = {key: leaf for key, leaf in module.named_parameters() if leaf.requires_grad}
    if not trained:
        _fail(name, "its module has no parameter that asks for a gradient: nothing can be trained")
    for key, leaf in trained.items():
        if leaf.dtype != torch.float32:
            _fail(
                name,
                f"parameter {key!r} is {_dtype(leaf)}; updates are exchanged as float32, so build "
                "the module in float32",
            )
        if leaf._backward_hooks or leaf._post_accumulate_grad_hooks:
            _fail(
                name,
                f"parameter {key!r} has a hook, which would not run: parameters are replaced by "
                "those of each client; change gradients in a strategy's adjust, or in a forward",
            )
    for key, layer in module.named_modules():
        if isinstance(layer, _BatchNorm) and layer.training:
            raise ValueError(
                f"model: layer {key!r} is {type(layer).__name__}, which mixes the examples of "
                "a batch and keeps statistics that no client can answer for: there is no "
                "privacy for an example, and clients trained together would share them; "
                "use GroupNorm, or freeze the layer by calling its eval() in build"
            )
    try:
        inspect.signature(module.forward).bind(None)
    except TypeError:
        needed = ", ".join(inspect.signature(module.forward).parameters)
        _fail(
            name,
            f"the forward of its module takes ({needed}), and it is called with a batch of "
            "examples alone; give every other argument a default",
        )


def has_separable_loss(context: TrainingContext) -> bool:
    """Return whether the model's loss can be computed for each example alone, of many clients."""
    import torch

    if is_standard(context.model):
        return True
    module = context.module
    x, y = (torch.from_numpy(each).to(context.device) for each in examples(context, FEW))
    try:
        with borrowed(0), torch.no_grad():
            return is_separable(context.model, module(x.clone()), y)
    except Exception:  # of module or loss: `try_module` tells the user about it
        return False


def train_mode(module: nn.Module) -> nn.Module:
    """Set a module to training; layers that it was built with in eval mode stay frozen."""
    frozen = [layer for layer in module.modules() if not layer.training]
    module.train()
    for layer in frozen:
        layer.training = False
    return module


@contextlib.contextmanager
def eval_mode(module: nn.Module) -> Generator[None]:
    """Set a module to evaluation, and its layers back to what they were."""
    modes = [(layer, layer.training) for layer in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


def try_module(context: TrainingContext) -> bool:
    """Return whether the module draws random numbers while it trains, as dropout does.

    A few examples go through the module and the loss. Raises ValueError where outputs, losses or
    gradients are not what training needs, and where the module writes a buffer, which would carry
    data from client to client.
    """
    import torch

    module, user = context.module, is_user_class(type(context.model))
    before = {name: leaf.clone() for name, leaf in module.named_buffers()}
    rows, stacked = MORE if user else FEW, context.layers is not None
    x, y = (torch.from_numpy(each).to(context.device) for each in examples(context, rows))
    with borrowed(0):
        state = torch.random.get_rng_state()
        outputs = _outputs(context, module, x)
        losses = _losses(context, outputs, y) if user else None
        draws = not torch.equal(state, torch.random.get_rng_state())
        for name, leaf in module.named_buffers():
            if not torch.equal(leaf, before[name]):
                layer = name.rpartition(".")[0]
                raise ValueError(
                    f"model: layer {layer!r} writes its buffer {name!r} while it trains, which "
                    "would carry one client's data to the next; use a layer without, such as "
                    "GroupNorm for a norm that tracks statistics"
                )
        if user:
            _check_alone(context, module, x, y)
            with eval_mode(module):
                _check_alone(context, module, x, y)
        if losses is not None:
            _check_gradients(context, module, losses)
            if context.example_privacy is not None and not stacked:
                _check_single_gradients(context, module, x[:FEW], y[:FEW])
    return draws


def examples(context: TrainingContext, rows: int) -> tuple[Features, NDArray[Any]]:
    """Return the first training rows; under privacy random ones in their place.

    Whether a private run begins must not depend on anybody's data.
    """
    data, card = context.data, context.data.card
    if context.privacy.guarantee is None:
        return data.x[:rows], data.y[:rows]
    rng = np.random.default_rng(0)
    shape = (rows, *card.shape)
    if card.vocabulary:
        x = rng.integers(0, card.vocabulary, size=shape)
    else:
        x = rng.normal(size=shape).astype(np.float32)
    if card.task == "classification":
        return x, np.arange(rows) % len(card.classes)
    return x, rng.normal(size=rows).astype(np.float32)


def _outputs(context: TrainingContext, module: nn.Module, x: Tensor) -> Tensor:
    import torch

    name, card = f"model: {_name(context)}", context.data.card
    try:
        outputs = module(x.clone())  # it may write into them
    except Exception as error:
        shape = " × ".join(map(str, x.shape[1:])) or "single"
        kind = "ids" if card.vocabulary else "numbers"
        reason = explained(error)
        words = f"; {reason}" if reason != str(error) else ""
        raise ValueError(
            f"{name}: its module does not take {len(x)} examples of {shape} {kind}, as "
            f"{card.name} has them{_culprit(module, x)}{words}"
        ) from error
    standard = type(context.model).loss is Model.loss
    needed = f"({len(x)}, {card.outputs})"
    if not isinstance(outputs, torch.Tensor):
        _fail(
            name,
            f"its module gives {what(outputs)} for {len(x)} examples, and one tensor of "
            f"shape {needed} is needed",
        )
    found = tuple(outputs.shape)
    allowed = {card.outputs, max(card.outputs, len(card.classes))}
    free = card.task == "regression" and len(found) == 2 and found[1] > 0
    fits = len(found) == 2 and found[1] == card.outputs
    if not standard:
        fits = free or (len(found) == 2 and found[1] in allowed)
    if not fits or found[0] != len(x):
        raise ValueError(
            f"model: it gives outputs of shape {found} for {len(x)} examples "
            f"and {card.name} needs {needed}"
        )
    if not outputs.is_floating_point() or outputs.dtype != torch.float32:
        _fail(name, f"its outputs are {_dtype(outputs)}, and float32 is needed")
    if not outputs.isfinite().all():
        _fail(name, "its outputs are not finite before any training; check its initial values")
    return outputs


def _losses(context: TrainingContext, outputs: Tensor, y: Tensor) -> Tensor:
    import torch

    name = f"model: {_name(context)}.loss()"
    with attributed(name):
        losses = context.model.loss(outputs, y.clone())
    if not isinstance(losses, torch.Tensor):
        _fail(name, f"returned {what(losses)}; return a tensor [B], the loss of each example")
    if losses.shape != y.shape:
        count = len(y)
        remedy = "leave out the mean: reduction='none'" if losses.dim() == 0 else "one per example"
        if tuple(losses.shape) == (count, count):
            remedy = "take outputs[:, 0], as outputs [B, 1] less targets [B] is [B, B]"
        _fail(
            name,
            f"returned shape {tuple(losses.shape)} for {count} examples, and ({count},) is needed; "
            f"{remedy}",
        )
    if not losses.is_floating_point():
        _fail(name, f"returned {_dtype(losses)} values, and float32 is needed")
    if not losses.isfinite().all():
        row = int((~losses.isfinite()).nonzero()[0])
        _fail(name, f"is {float(losses[row].detach())} for example {row} before any training")
    if not losses.requires_grad:
        _fail(
            name,
            "does not depend on the outputs, so there is no gradient; compute it by torch from "
            "them, without detach(), item() or numpy",
        )
    return losses


def _check_alone(context: TrainingContext, module: nn.Module, x: Tensor, y: Tensor) -> None:
    """Raise ValueError unless an example's outputs and loss depend on nothing but the example.

    The last batch of a client may hold a single example, what clients trained before must not
    show, and there is no privacy for an example that is part of all others' gradients. Where random
    numbers are drawn, examples cannot be compared across batches.
    """
    import torch

    name = f"model: {_name(context)}"

    def results(rows: slice) -> tuple[Tensor, Tensor]:
        torch.manual_seed(0)
        outputs = _outputs(context, module, x[rows])
        return outputs.detach().clone(), _losses(context, outputs, y[rows]).detach()

    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    together = results(slice(None))
    draws = not torch.equal(state, torch.random.get_rng_state())
    alone = [results(slice(k, k + 1)) for k in range(ALONE)]
    again = results(slice(None))  # after other examples, whose traces it would show
    if apart(together[0], again[0]) or apart(together[1], again[1]):
        _fail(
            name,
            "it gives other values for the same examples when it is called again: it keeps "
            "something from call to call, which would carry one client's data to the next; keep "
            "nothing outside the function",
        )
    if draws:
        return
    outputs, losses = (torch.cat(each) for each in zip(*alone, strict=True))
    if apart(together[0][:ALONE], outputs):
        _fail(
            name,
            "its module gives an example other outputs alone than beside others: it mixes the "
            "examples of a batch; use layers that look at one example at a time, such as LayerNorm",
        )
    if apart(together[1][:ALONE], losses):
        _fail(
            f"{name}.loss()",
            "gives an example another loss alone than beside others; the loss of an example may "
            "depend on its own outputs and target alone",
        )


def _check_gradients(context: TrainingContext, module: nn.Module, losses: Tensor) -> None:
    import torch

    name = f"model: {_name(context)}"
    named = {key: leaf for key, leaf in module.named_parameters() if leaf.requires_grad}
    try:
        grads = torch.autograd.grad(losses.mean(), list(named.values()), allow_unused=True)
    except Exception as error:
        raise ValueError(
            f"{name}: the gradient of its loss cannot be computed; its forward may not write into "
            "values in place, nor use numpy"
        ) from error
    if all(grad is None for grad in grads):
        _fail(name, "no gradient of the loss reaches a parameter; the outputs do not depend on any")
    for key, grad in zip(named, grads, strict=True):
        if grad is not None and not grad.isfinite().all():
            _fail(name, f"the gradient of {key!r} is not finite before any training")


def _check_single_gradients(
    context: TrainingContext, module: nn.Module, x: Tensor, y: Tensor
) -> None:
    from torch.func import grad, vmap

    named = {key: leaf.detach() for key, leaf in module.named_parameters() if leaf.requires_grad}

    def loss(params: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        outputs = call(module, params, x.unsqueeze(0))
        return context.model.loss(outputs, y.unsqueeze(0)).mean()

    try:
        vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")(named, x, y)
    except Exception as error:
        raise ValueError(
            f"model: {_name(context)}: the gradient of each example, which example-level privacy "
            "needs, cannot be computed for it; its forward and loss may not branch on values, "
            "call item() or write in place, and an autograd.Function needs setup_context and "
            "generate_vmap_rule = True"
        ) from error


def _culprit(module: nn.Module, x: Tensor) -> str:
    """Return which layer fails on `x`, and what it is given, as the end of a sentence."""
    import torch

    entered: list[tuple[str, nn.Module, tuple[int, ...]]] = []

    def note(name: str) -> Any:
        def hook(layer: nn.Module, given: tuple[Any, ...]) -> None:
            shape = next((tuple(each.shape) for each in given if hasattr(each, "shape")), ())
            entered.append((name, layer, shape))

        return hook

    def leave(layer: nn.Module, given: Any, result: Any) -> None:
        entered.pop()

    hooks = [
        hook
        for name, layer in module.named_modules()
        if name
        for hook in (
            layer.register_forward_pre_hook(note(name)),
            layer.register_forward_hook(leave),
        )
    ]
    try:
        with torch.no_grad():
            module(x.clone())
    except Exception:  # the one that `_outputs` reports: only the layer that it leaves is wanted
        pass
    finally:
        for hook in hooks:
            hook.remove()
    if not entered:
        return ""
    name, layer, shape = entered[-1]
    words = " ".join(str(layer).split())
    return f": layer {name!r}, {words[:80]}, gets a batch of shape {shape}"


def _dtype(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")


def _name(context: TrainingContext) -> str:
    return type(context.model).__name__


def _fail(name: str, reason: str) -> NoReturn:
    raise ValueError(f"{name}: {reason}")
