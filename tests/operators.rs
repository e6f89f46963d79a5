//! What an operator, the system or a mistake of ours does to a gateway: it refuses, it goes without, it serves on.

mod configuration;
mod load;
mod panics;
mod plugins;
