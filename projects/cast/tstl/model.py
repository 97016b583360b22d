"""TSTL as one model: a selector and experts over one frozen trunk, each clip answered by the experts of its group."""

# B clips, C channels, F frames, H x W pixels, G groups and experts, J experts asked a clip, K classes
import torch
from torch import nn
from torch.func import functional_call

from projects.cast.model import is_expert
from projects.cast.tstl.deltas import PerMember, Shares, attach, delta_tree, delta_units
from projects.cast.tstl.groups import read_groups
from projects.cast.tstl.member import TSTLMember
from projects.cast.tstl.routing import VOTES, best_experts, fuse
from slowfast.models.build import MODEL_REGISTRY
from slowfast.utils.errors import ConfigError, UserError

SELECTOR = 0  # number of the selector among the members; expert g is member g + 1


@MODEL_REGISTRY.register()
class TSTL(TSTLMember):
    """Input: clip (B, C, F, H, W), normalised float. Output: scores (B, K) of the experts asked, see `routing.fuse`.

    For inference alone. Matrices of the trunk multiply the whole batch once for the selector and once for all experts
    asked; what is a member's own is called once for the clips of that member. State-dict keys: the trunk's as CAST's,
    selector.* and experts.G.* with CAST's keys of what is trained, class_to_group. A member may also have parameters
    of the trunk otherwise (`adopt`): then its clips go through its own whole network.

    Args:
        num_classes: K.
        num_frames, crop_size: as CAST's; so is all else that is not named here.
        of_class: group of each class, K numbers.
        topk: J. vote: one of routing.VOTES.
    """

    def __init__(self, num_classes, num_frames, crop_size, *, of_class, topk=1, vote="maxlogit", **sizes):
        super().__init__(num_classes, num_frames, crop_size, **sizes)
        num_groups = max(of_class) + 1
        assert vote in VOTES and 1 <= topk <= num_groups, f"vote '{vote}', {topk} of {num_groups} experts"
        self.topk, self.vote = topk, vote
        self.register_buffer("class_to_group", torch.tensor(of_class))
        units = delta_units(self)
        head = nn.Linear(self.head.in_features, num_groups)
        self.selector = delta_tree(self, units, head=head)
        self.experts = nn.ModuleList(delta_tree(self, units) for _ in range(num_groups))
        self.own = [[] for _ in self._members()]  # names of the trunk's parameters that a member has otherwise
        self.shares = Shares()
        for name in units:
            versions = [member.get_submodule(name) for member in self._members()]
            attach(self, name, PerMember(versions, self.shares))
        with torch.device("meta"):
            whole = TSTLMember(num_classes, num_frames, crop_size, **sizes)
        self.__dict__["whole"] = whole.eval()  # a network for whatever parameters it is called with

    @classmethod
    def further_arguments(cls, cfg):
        """Raises: UserError of the groups; ConfigError: keys that do not fit."""
        groups = read_groups(cfg.TSTL.GROUPS_PATH, cfg.MODEL.NUM_CLASSES)
        problems = []
        if not isinstance(cfg.TSTL.TOPK, int) or not 1 <= cfg.TSTL.TOPK <= groups.num_groups:
            problems.append(
                f"TSTL.TOPK: got {cfg.TSTL.TOPK!r}, expected 1 to {groups.num_groups}, the number of experts"
            )
        if cfg.TSTL.VOTE not in VOTES:
            problems.append(f"TSTL.VOTE: got {cfg.TSTL.VOTE!r}, expected one of {', '.join(VOTES)}")
        if cfg.TRAIN.ENABLE or cfg.CAST.TRAIN_EXPERTS:
            key = "TRAIN.ENABLE" if cfg.TRAIN.ENABLE else "CAST.TRAIN_EXPERTS"
            problems.append(
                f"{key}: got True, but MODEL.MODEL_NAME TSTL is put together from trained members; train TSTLMember "
                "with TSTL.STAGE selector and experts, and import them (projects/cast/import_experts.py)"
            )
        if problems:
            raise ConfigError(problems)
        return {"of_class": groups.of_class, "topk": cfg.TSTL.TOPK, "vote": cfg.TSTL.VOTE}

    @property
    def num_groups(self):
        return len(self.experts)

    def forward(self, clip):
        """clip: (B, C, F, H, W) -> scores (B, K)."""
        return self.answer(clip)[1]

    def answer(self, clip):
        """clip: (B, C, F, H, W) -> (predictions int64 (B,), scores (B, K)), by TOPK and VOTE."""
        streams = self.embed(clip)
        selector_logits = self.select(clip, streams)[0].float()
        experts = best_experts(selector_logits, self.topk)
        return fuse(self.vote, selector_logits, experts, self.ask(clip, streams, experts))

    def select(self, clip, streams):
        """Args: clip: (B, C, F, H, W). streams: `embed(clip)`. Returns: (selector's scores (B, G), its Features)."""
        if self.own[SELECTOR]:
            return self.alone(SELECTOR, clip)
        return self._classify(streams, [(SELECTOR, len(clip))])

    def ask(self, clip, streams, experts):
        """What experts say.

        Args: clip: (B, C, F, H, W). streams: `embed(clip)`. experts: int64 (B, J), who is asked about each clip.
        Returns: float32 (B, J, K).
        """
        order = experts.flatten().argsort(stable=True)  # (R,), R = B * J: all clips of an expert together
        clips = order // experts.shape[1]  # (R,), numbers of clips
        logits = torch.empty(len(order), len(self.class_to_group), device=clip.device)
        shares, shared, start = [], [], 0
        for member, count in self._counts(experts):
            rows = range(start, start + count)
            start += count
            if self.own[member]:
                logits[rows.start : rows.stop] = self.alone(member, clip[clips[rows.start : rows.stop]])[0].float()
            else:
                shared += rows
                shares.append((member, count))
        if shared:
            shared = torch.tensor(shared, device=clip.device)
            logits[shared] = self._classify(_clips_of(streams, clips[shared]), shares)[0].float()
        return torch.empty_like(logits).index_copy_(0, order, logits).unflatten(0, experts.shape)

    def alone(self, member, clip):
        """clip: (B, C, F, H, W) -> (logits, Features) by one member's whole network, trunk included."""
        state = {name: parameter for name, parameter in self.named_parameters() if is_expert(name)}
        state |= dict(self._members()[member].named_parameters())
        return functional_call(self.whole, {**state, "pos_embed": self.pos_embed}, (clip, True))

    def adopt(self, state):
        """Make place for what members have otherwise than the trunk in `state`, a state dict of this model.

        Raises: UserError: they have another shape than the trunk's.
        """
        trunk = {name: parameter for name, parameter in self.named_parameters() if is_expert(name)}
        for member, tree in enumerate(self._members()):
            prefix = f"experts.{member - 1}." if member else "selector."
            for name in (name[len(prefix) :] for name in state if name.startswith(prefix)):
                if name not in trunk or name in self.own[member]:
                    continue
                if state[prefix + name].shape != trunk[name].shape:
                    there, here = tuple(state[prefix + name].shape), tuple(trunk[name].shape)
                    raise UserError(f"{prefix}{name} is {there} in the file, {here} here: the trunk has other sizes")
                attach(tree, name, nn.Parameter(torch.empty_like(trunk[name])))
                self.own[member].append(name)

    def _counts(self, experts):
        """[(member, clips it is asked about)], none empty, of the experts int64 (B, J)."""
        if experts.is_meta:  # shapes alone: the cost does not depend on who is asked
            return [(SELECTOR + 1, experts.numel())]
        counts = torch.bincount(experts.flatten(), minlength=self.num_groups).tolist()
        return [(expert + 1, count) for expert, count in enumerate(counts) if count]

    def _classify(self, streams, shares):
        self.shares.current = shares
        return self.classify(streams)

    def _members(self):
        """The selector, then the experts."""
        return [self.selector, *self.experts]


def _clips_of(streams, clips):
    """Some clips of what `embed` gives, by number, int64 (R,)."""
    space, time, grid = streams
    return space.unflatten(0, (len(time), -1))[clips].flatten(0, 1), time[clips], grid
