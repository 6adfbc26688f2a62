"""What the page about the bug museum claims; ``experiments.bug_museum`` measures it."""

from __future__ import annotations

from bpref.bugs import CATALOG
from experiments._claim import Claim

DETECTORS = ("shapes", "falls", "overfit", "compare", "gradcheck")
DETECTOR_KEYS = {
    key: (f"bugs.*.share.{key}", f"overall.*.{key}", f"overall.*.{key}.*") for key in DETECTORS
}
ROOM_WORDS = {
    "dense": ("dense layers", "全连接层"),
    "activation": ("activations", "激活函数"),
    "loss": ("losses and softmax", "损失与 softmax "),
    "norm": ("normalization and dropout", "归一化与 dropout "),
    "conv": ("convolution and pooling", "卷积与池化"),
    "sequence": ("sequences", "序列"),
    "structure": ("paths, caches, buffers", "路径、缓存、缓冲区"),
}


def _room_claim(room: str) -> Claim:
    """The rows of one room: no other detector gets near the gradient check."""
    at = f"bug_museum.rooms.{room}"
    names = [bug.id for bug in CATALOG if bug.room == room]

    def ref(path: str, digits: int = 0) -> str:
        return f"{{{{ {at}.{path} | .{digits}f }}}}"

    return Claim(
        f"bug-museum-room-{room}",
        en=f"Room of {ROOM_WORDS[room][0]}: the gradient check notices the bug in "
        f"{ref('mean.gradcheck', 1)} % of the {ref('runs')} runs (each bug with equal weight), "
        f"shapes {ref('mean.shapes')} %, a loss that does not fall {ref('mean.falls')} %, four "
        f"samples {ref('mean.overfit')} %, the comparison {ref('mean.compare')} %, which is "
        f"{ref('seed.compare.min')} to {ref('seed.compare.max')} % from seed to seed. For no bug "
        f"of the room does another detector notice more runs than the gradient check, and each of "
        f"the other four misses more than half of the runs of at least one bug.",
        zh=f"{ROOM_WORDS[room][1]}展室：{ref('runs')} 次运行中（各错误权重相同），梯度检验发现错误"
        f"的占 {ref('mean.gradcheck', 1)} %，形状占 {ref('mean.shapes')} %，损失不下降占 "
        f"{ref('mean.falls')} %，四个样本占 {ref('mean.overfit')} %，对照占 "
        f"{ref('mean.compare')} %（各随机种子之间从 {ref('seed.compare.min')} % 到 "
        f"{ref('seed.compare.max')} %）。对本室的任何一个错误，别的检查都不比梯度检验发现得更多；"
        f"其余四种检查，每一种都至少在一个错误上漏掉一半以上的运行。",
        criterion=f"rooms.{room}.min.gradcheck > 90 and max(rooms.{room}.min.shapes, "
        f"rooms.{room}.min.falls, rooms.{room}.min.overfit, rooms.{room}.min.compare) < 50 "
        f"and all(b.gradcheck == max(b.values()) for b in ["
        + ", ".join(f"bugs.{name}.share" for name in names)
        + "])",
        covers=tuple(
            f"bugs.{name}.{key}" for name in names for key in ("share.*", "cells.*.cosine")
        ),
        runs="setting.seeds",
        spread=(f"rooms.{room}.seed.compare.min", f"rooms.{room}.seed.compare.max"),
        figure="bug_museum",
    )


WORKED = ("setting.*", "bugs.*.runs", "false.runs")
CLAIMS = (
    Claim(
        "bug-museum-wrong-sign-still-falls",
        en="Without $W_2$ in the example, one unit gets a gradient of the wrong sign, which the "
        "difference quotient shows, and the loss falls from {{ bug_museum.worked.J | .3f }} "
        "to {{ bug_museum.worked.wrong.J | .3f }} all the same; the cosine with the right "
        "gradient is {{ bug_museum.worked.cosine | .2f }}.",
        zh="例子里漏掉 $W_2$，有一个单元的梯度符号反了，差商看得出来；损失却照样从 "
        "{{ bug_museum.worked.J | .3f }} 降到 {{ bug_museum.worked.wrong.J | .3f }}。与正确梯"
        "度的夹角余弦是 {{ bug_museum.worked.cosine | .2f }}。",
        criterion="worked.right.dW[1][0] * worked.wrong.dW[1][0] < 0 "
        "and abs(worked.quotient[1][0] - worked.right.dW[1][0]) < 1e-6 "
        "and worked.right.J < worked.wrong.J < worked.J and worked.product > 0 "
        "and 0 < worked.cosine < 0.8",
        covers=("worked.*",),
        exact="arithmetic",
    ),
    Claim(
        "bug-museum-most-point-downhill",
        en="Only one bug, the flipped sign, points uphill at the start in the median of a "
        "network. For {{ bug_museum.overall.cosine.half }} of {{ bug_museum.setting.bugs }} "
        "bugs the median cosine with the right gradient is above one half in every network. "
        "In single runs the cosines of the others range from "
        "{{ bug_museum.overall.cosine.min | .2f }} to "
        "{{ bug_museum.overall.cosine.max | .2f }}; "
        "{{ bug_museum.overall.cosine.uphill_others }} of "
        "{{ bug_museum.overall.cosine.others }} are negative, with "
        "{{ bug_museum.overall.cosine.uphill_bugs }} bugs.",
        zh="按每种网络的中位数看，开始时指向上坡的只有符号写反这一个错误。"
        "{{ bug_museum.setting.bugs }} 个错误中有 {{ bug_museum.overall.cosine.half }} 个，在"
        "每种网络里与正确梯度的夹角余弦的中位数都大于二分之一。看单次运行，其余错误的余弦从 "
        "{{ bug_museum.overall.cosine.min | .2f }} 到 "
        "{{ bug_museum.overall.cosine.max | .2f }}；{{ bug_museum.overall.cosine.others }} 次"
        "里有 {{ bug_museum.overall.cosine.uphill_others }} 次为负，来自 "
        "{{ bug_museum.overall.cosine.uphill_bugs }} 个错误。",
        criterion="overall.cosine.negative == 1 "
        "and max(c.cosine_max for c in bugs.sign_flip.cells.mlp_tanh.values()) < 0 "
        "and overall.cosine.half > 0.9 * setting.bugs "
        "and overall.cosine.uphill_others < 0.05 * overall.cosine.others",
        covers=("overall.cosine.*",),
        runs="setting.seeds",
        spread=("overall.cosine.min", "overall.cosine.max"),
        figure="bug_museum_cosine",
    ),
    Claim(
        "bug-museum-false-alarms",
        en="On {{ bug_museum.false.runs }} runs with the right pass, shapes and the gradient "
        "check raise no alarm; a loss that does not fall raises "
        "{{ bug_museum.false.count.falls }}, four samples {{ bug_museum.false.count.overfit }}, "
        "the comparison {{ bug_museum.false.count.compare }}, about the one in 21 that chance "
        "gives it: from seed to seed {{ bug_museum.false.seed.compare.min | .0f }} to "
        "{{ bug_museum.false.seed.compare.max | .0f }} %.",
        zh="正确的实现运行 {{ bug_museum.false.runs }} 次，形状和梯度检验没有误报；损失下降误报 "
        "{{ bug_museum.false.count.falls }} 次，四个样本 {{ bug_museum.false.count.overfit }} 次，"
        "对照 {{ bug_museum.false.count.compare }} 次，与它的做法所决定的平均每 21 次一次大致相"
        "符；各个种子之间从 {{ bug_museum.false.seed.compare.min | .0f }} % 到 "
        "{{ bug_museum.false.seed.compare.max | .0f }} %。",
        criterion="false.count.shapes == 0 and false.count.gradcheck == 0 "
        "and max(false.share.falls, false.share.overfit) < 1 and 2 < false.share.compare < 8",
        covers=("false.count.*", "false.share.*", "false.seed.*"),
        runs="setting.seeds",
        spread=("false.seed.compare.min", "false.seed.compare.max"),
        figure="bug_museum_spread",
    ),
    Claim(
        "bug-museum-gradient-check",
        en="The gradient check notices the bug in {{ bug_museum.overall.mean.gradcheck | .1f }} % "
        "of the runs, and {{ bug_museum.overall.always.gradcheck }} of "
        "{{ bug_museum.setting.bugs }} bugs in every run. The worst seed is at "
        "{{ bug_museum.overall.seed.gradcheck.min | .1f }} %, the worst network family at "
        "{{ bug_museum.overall.family.gradcheck.min | .1f }} %. The only bug that it does not "
        "find every time, but in {{ bug_museum.bugs.pool_all_ties.share.gradcheck | .1f }} % of "
        "the runs, is the one about ties in max pooling.",
        zh="梯度检验在 {{ bug_museum.overall.mean.gradcheck | .1f }} % 的运行中发现错误，"
        "{{ bug_museum.setting.bugs }} 个错误中有 {{ bug_museum.overall.always.gradcheck }} 个次次"
        "发现。最差的随机种子是 {{ bug_museum.overall.seed.gradcheck.min | .1f }} %，最差的网络是 "
        "{{ bug_museum.overall.family.gradcheck.min | .1f }} %。唯一没有次次发现的是最大池化的并"
        "列，在 {{ bug_museum.bugs.pool_all_ties.share.gradcheck | .1f }} % 的运行中发现。",
        criterion="overall.seed.gradcheck.min > 95 and overall.family.gradcheck.min > 95 "
        "and overall.size.gradcheck.small > 95 and overall.size.gradcheck.large > 95 "
        "and overall.always.gradcheck == setting.bugs - 1 "
        "and 90 < bugs.pool_all_ties.share.gradcheck < 100",
        covers=DETECTOR_KEYS["gradcheck"],
        runs="setting.seeds",
        spread=("overall.seed.gradcheck.min", "overall.seed.gradcheck.max"),
        figure="bug_museum",
    ),
    Claim(
        "bug-museum-shapes",
        en="Shapes notice the bug in {{ bug_museum.overall.mean.shapes | .0f }} % of the runs: "
        "{{ bug_museum.overall.never.shapes }} of {{ bug_museum.setting.bugs }} bugs never have a "
        "wrong shape. The share is the same with every seed, and differs between network "
        "families: {{ bug_museum.overall.family.shapes.min | .0f }} to "
        "{{ bug_museum.overall.family.shapes.max | .0f }} %.",
        zh="形状在 {{ bug_museum.overall.mean.shapes | .0f }} % 的运行中发现错误："
        "{{ bug_museum.setting.bugs }} 个错误中有 {{ bug_museum.overall.never.shapes }} 个从不出现"
        "形状问题。换随机种子没有区别，换网络则从 "
        "{{ bug_museum.overall.family.shapes.min | .0f }} % 到 "
        "{{ bug_museum.overall.family.shapes.max | .0f }} %。",
        criterion="overall.seed.shapes.min == overall.seed.shapes.max < 10 and "
        "overall.family.shapes.max < 50 and overall.never.shapes == setting.bugs - 2",
        covers=DETECTOR_KEYS["shapes"],
        runs="setting.seeds",
        spread=("overall.seed.shapes.min", "overall.seed.shapes.max"),
        figure="bug_museum",
    ),
    Claim(
        "bug-museum-loss-falls",
        en="A falling loss is missing in {{ bug_museum.overall.mean.falls | .0f }} % of the "
        "runs, {{ bug_museum.overall.seed.falls.min | .0f }} to "
        "{{ bug_museum.overall.seed.falls.max | .0f }} % from seed to seed, "
        "{{ bug_museum.overall.family.falls.min | .0f }} to "
        "{{ bug_museum.overall.family.falls.max | .0f }} % from family to family. For "
        "{{ bug_museum.overall.never.falls }} of {{ bug_museum.setting.bugs }} bugs the loss "
        "falls in every run.",
        zh="损失不下降的运行占 {{ bug_museum.overall.mean.falls | .0f }} %，各随机种子之间从 "
        "{{ bug_museum.overall.seed.falls.min | .0f }} % 到 "
        "{{ bug_museum.overall.seed.falls.max | .0f }} %，各种网络之间从 "
        "{{ bug_museum.overall.family.falls.min | .0f }} % 到 "
        "{{ bug_museum.overall.family.falls.max | .0f }} %。{{ bug_museum.setting.bugs }} 个"
        "错误中有 {{ bug_museum.overall.never.falls }} 个，每次运行损失都在下降。",
        criterion="overall.seed.falls.max < 30 and overall.never.falls > setting.bugs / 2",
        covers=DETECTOR_KEYS["falls"],
        runs="setting.seeds",
        spread=("overall.seed.falls.min", "overall.seed.falls.max"),
        figure="bug_museum",
    ),
    Claim(
        "bug-museum-four-samples",
        en="Four samples notice the bug in {{ bug_museum.overall.mean.overfit | .0f }} % of the "
        "runs, {{ bug_museum.overall.seed.overfit.min | .0f }} to "
        "{{ bug_museum.overall.seed.overfit.max | .0f }} % from seed to seed, "
        "{{ bug_museum.overall.family.overfit.min | .0f }} to "
        "{{ bug_museum.overall.family.overfit.max | .0f }} % from family to family. Their mean is "
        "within five points of that of the falling loss.",
        zh="四个样本在 {{ bug_museum.overall.mean.overfit | .0f }} % 的运行中发现错误，各随机种子"
        "之间从 {{ bug_museum.overall.seed.overfit.min | .0f }} % 到 "
        "{{ bug_museum.overall.seed.overfit.max | .0f }} %，各种网络之间从 "
        "{{ bug_museum.overall.family.overfit.min | .0f }} % 到 "
        "{{ bug_museum.overall.family.overfit.max | .0f }} %；平均值与损失下降相差不到五个百分点。",
        criterion="abs(overall.mean.overfit - overall.mean.falls) < 5 "
        "and overall.seed.overfit.max < 30",
        covers=DETECTOR_KEYS["overfit"],
        runs="setting.seeds",
        spread=("overall.seed.overfit.min", "overall.seed.overfit.max"),
        figure="bug_museum",
    ),
    Claim(
        "bug-museum-comparison",
        en="The comparison with runs of the right pass notices the bug in "
        "{{ bug_museum.overall.mean.compare | .0f }} % of the runs, "
        "{{ bug_museum.overall.seed.compare.min | .0f }} to "
        "{{ bug_museum.overall.seed.compare.max | .0f }} % from seed to seed, "
        "{{ bug_museum.overall.family.compare.min | .0f }} to "
        "{{ bug_museum.overall.family.compare.max | .0f }} % from family to family. Only "
        "{{ bug_museum.overall.always.compare }} bugs are noticed in every run.",
        zh="与正确实现的运行相对照，在 {{ bug_museum.overall.mean.compare | .0f }} % 的运行中发现"
        "错误，各随机种子之间从 {{ bug_museum.overall.seed.compare.min | .0f }} % 到 "
        "{{ bug_museum.overall.seed.compare.max | .0f }} %，各种网络之间从 "
        "{{ bug_museum.overall.family.compare.min | .0f }} % 到 "
        "{{ bug_museum.overall.family.compare.max | .0f }} %。次次都被发现的错误只有 "
        "{{ bug_museum.overall.always.compare }} 个。",
        criterion="overall.mean.compare < 50 and overall.seed.compare.max < 75 "
        "and overall.always.compare < setting.bugs / 4",
        covers=DETECTOR_KEYS["compare"],
        runs="setting.seeds",
        spread=("overall.seed.compare.min", "overall.seed.compare.max"),
        figure="bug_museum",
    ),
    Claim(
        "bug-museum-quiet-bugs",
        en="{{ bug_museum.overall.quiet }} of {{ bug_museum.setting.bugs }} bugs, more than a "
        "quarter, are never noticed by shapes, loss curve or four samples, in any run, network or "
        "size. With a single seed it would look like "
        "{{ bug_museum.overall.quiet_seed.min | .0f }} to "
        "{{ bug_museum.overall.quiet_seed.max | .0f }}.",
        zh="{{ bug_museum.setting.bugs }} 个错误中有 {{ bug_museum.overall.quiet }} 个，超过四分"
        "之一，无论哪次运行、哪种网络、哪种大小，形状、损失曲线和四个样本都从未发现。如果只用"
        "一个随机种子，看上去会是 {{ bug_museum.overall.quiet_seed.min | .0f }} 到 "
        "{{ bug_museum.overall.quiet_seed.max | .0f }} 个。",
        criterion="overall.quiet > setting.bugs / 4 and overall.quiet <= overall.quiet_seed.min",
        covers=("overall.quiet", "overall.quiet_seed.*"),
        runs="setting.seeds",
        spread=("overall.quiet_seed.min", "overall.quiet_seed.max"),
        figure="bug_museum",
    ),
    *(_room_claim(room) for room in ROOM_WORDS),
    Claim(
        "bug-museum-missing-weight-in-two-networks",
        en="Without the weights of the next layer the median loss of the large tanh network ends "
        "below that of the right pass, "
        "{{ bug_museum.bugs.missing_weight.cells.mlp_tanh.large.curve[10] | .3f }} against "
        "{{ bug_museum.right.mlp_tanh.large.curve[10] | .3f }}, and below it with the same "
        "seed in {{ bug_museum.bugs.missing_weight.cells.mlp_tanh.large.lower }} of "
        "{{ bug_museum.setting.seeds }} runs; in the large ReLU network "
        "{{ bug_museum.bugs.missing_weight.cells.mlp_relu.large.flags.falls }} of "
        "{{ bug_museum.setting.seeds }} runs don't get down at all.",
        zh="漏掉后一层的权重，大的 tanh 网络的损失中位数最后反而低于正确实现："
        "{{ bug_museum.bugs.missing_weight.cells.mlp_tanh.large.curve[10] | .3f }} 对 "
        "{{ bug_museum.right.mlp_tanh.large.curve[10] | .3f }}，同一个种子下更低的有 "
        "{{ bug_museum.setting.seeds }} 次中的 "
        "{{ bug_museum.bugs.missing_weight.cells.mlp_tanh.large.lower }} 次；大的 ReLU 网络 "
        "{{ bug_museum.setting.seeds }} 次运行有 "
        "{{ bug_museum.bugs.missing_weight.cells.mlp_relu.large.flags.falls }} 次根本降不下去。",
        criterion="bugs.missing_weight.cells.mlp_tanh.large.curve[10] "
        "< right.mlp_tanh.large.curve[10] "
        "and bugs.missing_weight.cells.mlp_tanh.large.lower > setting.seeds / 2 "
        "and bugs.missing_weight.cells.mlp_relu.large.flags.falls > 0.8 * setting.seeds",
        covers=(
            "bugs.missing_weight.cells.*.large.curve*", "right.mlp_tanh.large.curve*",
            "bugs.missing_weight.cells.mlp_relu.large.flags.falls",
            "bugs.missing_weight.cells.mlp_tanh.large.lower",
        ),
        runs="setting.seeds",
        spread=(
            "bugs.missing_weight.cells.mlp_tanh.large.curve_min[10]",
            "bugs.missing_weight.cells.mlp_tanh.large.curve_max[10]",
        ),
        figure="bug_museum_missing_weight",
    ),
    Claim(
        "bug-museum-bias-shapes-by-accident",
        en="The bias gradient summed over the wrong axis has a wrong shape in "
        "{{ bug_museum.bugs.bias_wrong_axis.cells.mlp_tanh.small.flags.shapes }} of "
        "{{ bug_museum.setting.seeds }} small networks, where the batch is as large as the layer "
        "is wide, and in {{ bug_museum.bugs.bias_wrong_axis.cells.mlp_tanh.large.flags.shapes }} "
        "of {{ bug_museum.setting.seeds }} large ones. Four samples notice it in both, every time.",
        zh="偏置梯度沿错误的轴求和，在批量大小等于层宽的小网络里，{{ bug_museum.setting.seeds }} "
        "次有 {{ bug_museum.bugs.bias_wrong_axis.cells.mlp_tanh.small.flags.shapes }} 次形状不对；"
        "在大网络里，{{ bug_museum.setting.seeds }} 次有 "
        "{{ bug_museum.bugs.bias_wrong_axis.cells.mlp_tanh.large.flags.shapes }} 次。四个样本在两"
        "种网络里次次发现。",
        criterion="bugs.bias_wrong_axis.cells.mlp_tanh.small.flags.shapes == 0 "
        "and bugs.bias_wrong_axis.cells.mlp_tanh.large.flags.shapes == setting.seeds "
        "and bugs.bias_wrong_axis.share.overfit == 100",
        covers=("bugs.bias_wrong_axis.cells.mlp_tanh.*.flags.shapes",),
        exact="count",
    ),
    Claim(
        "bug-museum-sum-grows-with-the-batch",
        en="A sum in place of the mean leaves the direction exact in every run, with cosine 1. "
        "With a batch of 12 the loss does not fall in "
        "{{ bug_museum.bugs.sum_for_mean.cells.mlp_tanh.large.flags.falls }} of "
        "{{ bug_museum.setting.seeds }} runs, with a batch of 8 in "
        "{{ bug_museum.bugs.sum_for_mean.cells.mlp_tanh.small.flags.falls }}.",
        zh="平均写成求和，每次运行方向都分毫不差，余弦等于 1。批量大小为 12 时，"
        "{{ bug_museum.setting.seeds }} 次运行里损失有 "
        "{{ bug_museum.bugs.sum_for_mean.cells.mlp_tanh.large.flags.falls }} 次没有下降，批量大小"
        "为 8 时只有 {{ bug_museum.bugs.sum_for_mean.cells.mlp_tanh.small.flags.falls }} 次。",
        criterion="min(c.cosine_min for c in bugs.sum_for_mean.cells.mlp_tanh.values()) == 1 "
        "and bugs.sum_for_mean.cells.mlp_tanh.large.flags.falls > 0.75 * setting.seeds "
        "and bugs.sum_for_mean.cells.mlp_tanh.small.flags.falls < 0.25 * setting.seeds",
        covers=("bugs.sum_for_mean.cells.mlp_tanh.*.flags.falls",),
        runs="setting.seeds",
        spread=("bugs.sum_for_mean.seed.falls.min", "bugs.sum_for_mean.seed.falls.max"),
        figure="bug_museum_loss",
    ),
    Claim(
        "bug-museum-padding-not-masked",
        en="With padding that is not masked the loss still falls in every run, to a median of "
        "{{ bug_museum.bugs.padding_not_masked.cells.embedding.small.curve[10] | .3f }} in "
        "the small network and "
        "{{ bug_museum.bugs.padding_not_masked.cells.embedding.large.curve[10] | .3f }} in "
        "the large one; with the right pass to "
        "{{ bug_museum.right.embedding.small.curve[10] | .3f }} and "
        "{{ bug_museum.right.embedding.large.curve[10] | .3f }}. No run ends above all runs "
        "of the right pass.",
        zh="填充没有屏蔽，每次运行损失照样下降，中位数在小网络里降到 "
        "{{ bug_museum.bugs.padding_not_masked.cells.embedding.small.curve[10] | .3f }}，大网"
        "络里降到 "
        "{{ bug_museum.bugs.padding_not_masked.cells.embedding.large.curve[10] | .3f }}；正确"
        "的实现是 {{ bug_museum.right.embedding.small.curve[10] | .3f }} 和 "
        "{{ bug_museum.right.embedding.large.curve[10] | .3f }}。没有一次最后高于正确实现的所"
        "有运行。",
        criterion="bugs.padding_not_masked.share.falls == 0 "
        "and bugs.padding_not_masked.share.compare == 0",
        covers=("bugs.padding_not_masked.cells.embedding.*.curve*", "right.embedding.*.curve*"),
        runs="setting.seeds",
        spread=(
            "bugs.padding_not_masked.cells.embedding.small.curve_min[10]",
            "bugs.padding_not_masked.cells.embedding.small.curve_max[10]",
        ),
        figure="bug_museum_loss",
    ),
    Claim(
        "bug-museum-gain-by-shape-alone",
        en="The gain that gets one number is noticed by shapes and by the gradient check in "
        "every run, by loss curve, four samples and comparison in none.",
        zh="增益只得到一个数：形状和梯度检验每次都发现，损失曲线、四个样本和对照一次也没有发现。",
        criterion="bugs.gain_one_number.share.shapes == 100 "
        "and bugs.gain_one_number.share.gradcheck == 100 "
        "and max(bugs.gain_one_number.share.falls, bugs.gain_one_number.share.overfit, "
        "bugs.gain_one_number.share.compare) == 0",
        covers=("bugs.gain_one_number.share.*",),
        runs="setting.seeds",
        spread=(
            "bugs.gain_one_number.seed.gradcheck.min", "bugs.gain_one_number.seed.gradcheck.max",
        ),
        figure="bug_museum",
    ),
    Claim(
        "bug-museum-first-step-hides-the-buffer",
        en="Gradients that are not cleared: in the first step the gradient check fails in "
        "{{ bug_museum.first_step.failed }} of {{ bug_museum.first_step.runs }} runs, in the "
        "second step in all.",
        zh="梯度没有清零：第一步里，{{ bug_museum.first_step.runs }} 次运行中梯度检验有 "
        "{{ bug_museum.first_step.failed }} 次不通过；第二步里，次次不通过。",
        criterion="first_step.failed == 0 and bugs.not_cleared.share.gradcheck == 100",
        covers=("first_step.*",),
        runs="setting.seeds",
        spread=("first_step.seed.min", "first_step.seed.max"),
        figure="bug_museum",
    ),
)  # fmt: skip
