"""Real training that leaves the logs of other people's programs, small enough to take seconds."""

import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import TD3
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.monitor import Monitor
from torch.utils.tensorboard import SummaryWriter

TASK = "InvertedPendulum-v5"
STEPS = 600


def train_sb3(folder: Path, seed: int) -> None:
    """Monitor, EvalCallback, progress.csv, TensorBoard and a saved model, as a script of SB3's users writes them."""
    # Before its folder exists, Monitor takes a path for the name of a file: seed_5 becomes seed_5.monitor.csv.
    env = Monitor(gym.make(TASK), str(folder))
    model = TD3(
        "MlpPolicy",
        env,
        seed=seed,
        learning_starts=100,
        buffer_size=1000,
        batch_size=8,
        policy_kwargs={"net_arch": [8], "activation_fn": torch.nn.Tanh},
        device="cpu",
    )
    model.set_logger(configure(str(folder), ["csv", "tensorboard"]))
    callback = EvalCallback(Monitor(gym.make(TASK)), n_eval_episodes=2, eval_freq=200, log_path=str(folder), verbose=0)
    model.learn(STEPS, callback=callback, log_interval=20)
    model.save(folder / "model.zip")
    model.logger.close()
    env.close()


def train_cleanrl(folder: Path, seed: int, experiment: str = "td3_continuous_action") -> Path:
    """A deterministic actor and a critic in one file, logged as CleanRL's `td3_continuous_action.py` does."""
    run_name = f"{TASK}__{experiment}__{seed}__{int(time.time())}"
    writer = SummaryWriter(str(folder / run_name))
    settings = {"exp_name": experiment, "seed": seed, "env_id": TASK, "total_timesteps": STEPS}
    table = "\n".join(f"|{name}|{value}|" for name, value in settings.items())
    writer.add_text("hyperparameters", f"|param|value|\n|-|-|\n{table}")
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    env = gym.wrappers.RecordEpisodeStatistics(gym.make(TASK))
    size = int(np.prod(env.observation_space.shape or ()))
    actor = torch.nn.Sequential(torch.nn.Linear(size, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1), torch.nn.Tanh())
    critic = torch.nn.Sequential(torch.nn.Linear(size + 1, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    optimisers = [torch.optim.Adam(network.parameters(), 1e-3) for network in (actor, critic)]
    obs, _ = env.reset(seed=seed)
    for global_step in range(STEPS):
        state = torch.as_tensor(obs, dtype=torch.float32)
        action = (actor(state).detach().numpy() * 3 + rng.normal(0, 0.3, 1)).astype(np.float32)
        obs, reward, terminated, truncated, info = env.step(np.clip(action, -3, 3))
        losses = _update(actor, critic, optimisers, (state, action, float(reward), obs, terminated))
        if "episode" in info:
            writer.add_scalar("charts/episodic_return", float(info["episode"]["r"]), global_step)
            writer.add_scalar("charts/episodic_length", float(info["episode"]["l"]), global_step)
        if global_step % 100 == 0:
            writer.add_scalar("losses/qf1_loss", losses, global_step)
        if terminated or truncated:
            obs, _ = env.reset()
    writer.close()
    return folder / run_name


def _update(actor: Any, critic: Any, optimisers: list[torch.optim.Adam], transition: tuple[Any, ...]) -> float:
    state, action, reward, following, terminated = transition
    after = torch.as_tensor(following, dtype=torch.float32)
    with torch.no_grad():
        target = reward + (0.0 if terminated else 0.99) * critic(torch.cat([after, actor(after)]))
    loss = (critic(torch.cat([state, torch.as_tensor(action) / 3])) - target).square().mean()
    _descend(loss, optimisers[1])
    _descend(-critic(torch.cat([state, actor(state)])).mean(), optimisers[0])
    return float(loss.detach())


def _descend(loss: torch.Tensor, optimiser: torch.optim.Adam) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
