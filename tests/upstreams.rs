//! Upstreams that break their answers, through the fault proxy: what is not whole never looks whole, and nobody else
//! notices.

mod cut;
mod left;
mod odd;
mod outage;
mod plugins;

/// Routes: `/fault` to an upstream with short times, and everything else to the same with long ones, or both with long ones.
fn config(impatient: bool) -> String {
    let times = if impatient { "first_byte_timeout = \"300ms\"\nidle_timeout = \"300ms\"\n" } else { "" };
    format!(
        "[server]\nworkers = 1\ndrain_timeout = \"10ms\"\n\
         [upstreams.up]\nurl = \"http://{{upstream}}\"\n[upstreams.faulty]\nurl = \"http://{{upstream}}\"\n{times}\
         [routes.all]\nupstream = \"up\"\n[routes.fault]\npath = \"/fault/{{rest+}}\"\nupstream = \"faulty\"\n"
    )
}
