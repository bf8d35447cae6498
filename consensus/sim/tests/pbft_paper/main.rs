//! What "Practical Byzantine Fault Tolerance" (Castro and Liskov, OSDI 1999) claims, one test per
//! claim, named by section, on the production engine. docs/protocol/pbft.md says where the engine
//! deviates and why.

mod counts;
mod normal_case;
mod script;
mod view_change;
