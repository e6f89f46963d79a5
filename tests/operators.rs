//! What an operator, the system or a mistake of ours does to a gateway: it refuses, it goes without, it serves on.

mod clock;
mod configuration;
mod descriptors;
mod disk;
mod load;
mod panics;
mod pause;
mod pipes;
mod plugins;
mod taken;
