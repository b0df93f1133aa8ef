"""A language model of LSTM layers (Zaremba et al. 2014), with the parameter names of PyTorch's word language model."""

from __future__ import annotations

from typing import Any

from .. import nn
from ..functions.random import multinomial
from ..modes import no_grad
from ..random import Generator
from ..tensor import Tensor
from .weights import with_weights

State = tuple[Tensor, Tensor]


class LSTMLanguageModel(nn.Module):
    """An embedding, LSTM layers and a linear layer: (length, n) tokens -> (length, n, ntoken) logits of the token after each, and the state.

    ntoken: how many tokens there are. ninp, nhid: the widths of the embedding and of the layers. tie_weights: the last layer is the embedding,
    which needs ninp == nhid (Press and Wolf 2017). batch_first: (n, length) instead of (length, n).
    weights: a path to a local file with its weights (see `load_weights`).

    >>> from tracejit import torch
    >>> model = torch.models.LSTMLanguageModel(ntoken=5, ninp=4, nhid=3, nlayers=2)
    >>> logits, state = model(torch.tensor([[0, 1], [2, 3], [4, 0]]))
    >>> logits.shape, state[0].shape
    (torch.Size([3, 2, 5]), torch.Size([2, 2, 3]))
    """

    def __init__(
        self, ntoken: int, ninp: int, nhid: int, nlayers: int = 1, dropout: float = 0.0, tie_weights: bool = False, batch_first: bool = False, *,
        weights: Any = None, pretrained: bool = False,
    ):  # fmt: skip
        super().__init__()
        if tie_weights and nhid != ninp:
            raise ValueError(f"When using the tied flag, nhid must be equal to ninp: got nhid={nhid} and ninp={ninp}")
        self.ntoken, self.nhid, self.nlayers, self.batch_first = ntoken, nhid, nlayers, batch_first
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, nlayers, dropout=dropout if nlayers > 1 else 0.0, batch_first=batch_first)
        self.decoder = nn.Linear(nhid, ntoken)
        if tie_weights:
            self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        with_weights(self, weights, pretrained)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        out, state = self.rnn(self.drop(self.encoder(tokens)), state)
        return self.decoder(self.drop(out)), state

    def init_hidden(self, n: int) -> State:
        """The state before anything was read: zeros."""
        like = self.decoder.weight.detach()
        return like.new_zeros(self.nlayers, n, self.nhid), like.new_zeros(self.nlayers, n, self.nhid)

    @no_grad()
    def generate(self, prompt: Tensor, length: int, temperature: float = 1.0, generator: Generator | None = None) -> Tensor:
        """Go on from some tokens, drawing one after the other.

        prompt: at least one token, 1-d. temperature: 0 takes the likeliest each time; larger ones are more even. Returns the `length` new tokens.
        Dropout is on in training mode: call `eval` first.
        """
        where = 0 if self.batch_first else 1
        logits, state = self(prompt.unsqueeze(where))
        drawn = []
        for _ in range(length):
            last = logits.reshape(-1, self.ntoken)[-1]
            token = last.argmax(0, keepdim=True) if temperature == 0 else multinomial((last / temperature).softmax(0), 1, generator=generator)
            drawn.append(int(token))
            logits, state = self(token.unsqueeze(where), state)
        return prompt.new_tensor(drawn)
