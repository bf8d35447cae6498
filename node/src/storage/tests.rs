//! Real databases in temporary directories, also damaged ones.

mod damage;
mod fixture;
mod log;
mod offline;
mod opening;
mod reading;
mod restart;
